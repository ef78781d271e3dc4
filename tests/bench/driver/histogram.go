package main

import (
	"math/bits"
	"time"
)

// fine: each power of two has 2^fine buckets, so that a bucket is at most 1.6 % wide.
const fine = 6

// histogram of times, to the microsecond.
type histogram struct {
	counts [64 << fine]int
	total  int
}

func bucketOf(micros uint64) int {
	shift := max(bits.Len64(micros)-fine-1, 0)
	return shift<<fine + int(micros>>shift)
}

// upperMicros is the highest that falls into the bucket.
func upperMicros(bucket int) uint64 {
	if bucket < 2<<fine {
		return uint64(bucket)
	}
	shift := bucket>>fine - 1
	return uint64(bucket-shift<<fine+1)<<shift - 1
}

func (h *histogram) add(latency time.Duration) {
	h.counts[bucketOf(uint64(max(latency.Microseconds(), 0)))]++
	h.total++
}

func (h *histogram) addAll(other *histogram) {
	for bucket, count := range other.counts {
		h.counts[bucket] += count
	}
	h.total += other.total
}

func (h *histogram) percentileMs(part float64) float64 {
	wanted, seen := int(part*float64(h.total)), 0
	for bucket, count := range h.counts {
		seen += count
		if seen > wanted {
			return float64(upperMicros(bucket)) / 1000
		}
	}
	return 0
}

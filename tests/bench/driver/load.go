package main

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// patience: for how long a peer may acknowledge nothing.
const patience = 30 * time.Second

// result is printed.
type result struct {
	Published        int     `json:"published"`    // with those of the warm-up
	Acknowledged     int     `json:"acknowledged"` // of them
	RecordsPerSecond float64 `json:"records_per_second"`
	P50Ms            float64 `json:"p50_ms"`
	P99Ms            float64 `json:"p99_ms"`
}

// producer publishes on one connection and keeps account of it.
type producer struct {
	asked      options
	connection connection
	start      time.Time
	due        []atomic.Int64 // nanoseconds after start, of each record under way, in a ring; acks come about in order
	published  int
	done       atomic.Int64 // acknowledged
	more       chan struct{}
	problem    chan error
	counted    int // acknowledged within the time that is measured
	latencies  histogram
}

func newProducer(asked options) *producer {
	return &producer{asked: asked, due: make([]atomic.Int64, 4*asked.window), more: make(chan struct{}, 1),
		problem: make(chan error, 1)}
}

func (p *producer) acked(first, last int) {
	now := time.Since(p.start)
	if now >= p.asked.warmUp && now < p.asked.warmUp+p.asked.measured {
		p.counted += last - first + 1
		for number := first; number <= last; number++ {
			p.latencies.add(now - time.Duration(p.due[number%len(p.due)].Load()))
		}
	}
	p.done.Add(int64(last - first + 1))
	select {
	case p.more <- struct{}{}:
	default: // it is awake already
	}
}

func (p *producer) failed(why error) {
	select {
	case p.problem <- why:
	default: // the first one is told
	}
}

// await returns once at most so many records are under way.
func (p *producer) await(most int) error {
	if p.published-int(p.done.Load()) <= most {
		return nil
	}
	if err := p.connection.flush(); err != nil {
		return err
	}
	silent := time.NewTimer(patience)
	defer silent.Stop()
	for p.published-int(p.done.Load()) > most {
		select {
		case <-p.more:
			silent.Reset(patience)
		case why := <-p.problem:
			return why
		case <-silent.C:
			return fmt.Errorf("nothing was acknowledged for %v", patience)
		}
	}
	return nil
}

// finish waits for all that is under way; an error if any record was refused.
func (p *producer) finish() error {
	if err := p.await(0); err != nil {
		return err
	}
	select {
	case why := <-p.problem:
		return why
	default:
		return nil
	}
}

func (p *producer) run(number int) error {
	value := bytes.Repeat([]byte{'x'}, p.asked.record)
	end := p.asked.warmUp + p.asked.measured
	for {
		due := time.Since(p.start)
		if p.asked.rate > 0 {
			// The producers take turns.
			due = time.Duration(float64(p.published*p.asked.producers+number) / float64(p.asked.rate) * float64(time.Second))
			time.Sleep(due - time.Since(p.start))
		}
		if due >= end {
			return p.finish()
		}
		if err := p.await(p.asked.window - 1); err != nil {
			return err
		}
		p.due[p.published%len(p.due)].Store(int64(due))
		p.published++
		if err := p.connection.publish(value); err != nil {
			return err
		}
		if p.asked.rate > 0 {
			if err := p.connection.flush(); err != nil {
				return err
			}
		}
	}
}

// load opens all connections, then lets all producers run.
func load(open opener, asked options) (*result, error) {
	producers := make([]*producer, asked.producers)
	for number := range producers {
		producers[number] = newProducer(asked)
		opened, err := open(asked, number, producers[number])
		if err != nil {
			return nil, err
		}
		defer opened.close()
		producers[number].connection = opened
	}
	start := time.Now()
	for _, one := range producers {
		one.start = start
	}
	problems := make([]error, asked.producers)
	var running sync.WaitGroup
	for number, one := range producers {
		running.Add(1)
		go func() {
			defer running.Done()
			problems[number] = one.run(number)
		}()
	}
	running.Wait()
	told, counted, latencies := &result{}, 0, &histogram{}
	for number, one := range producers {
		if problems[number] != nil {
			return nil, fmt.Errorf("producer %d: %w", number, problems[number])
		}
		told.Published += one.published
		told.Acknowledged += int(one.done.Load())
		counted += one.counted
		latencies.addAll(&one.latencies)
	}
	told.RecordsPerSecond = float64(counted) / asked.measured.Seconds()
	told.P50Ms, told.P99Ms = latencies.percentileMs(0.5), latencies.percentileMs(0.99)
	return told, nil
}

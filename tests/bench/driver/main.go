// Produces to a peer from several connections at once, and tells how fast it acknowledged.
//
//	quipu-peers redis|nats|queue|stream --addresses HOST:PORT,... [options]
//
// Producer N has a connection of its own, to address N modulo their number, and a stream or queue of its own, named
// after --name. At full speed each has as many records under way as --window says; with --rate each sends when a record
// is due, whatever is still to be acknowledged, and latency counts from then. Prints JSON. Exit code 1: a record was
// refused or lost, or the peer cannot be talked to.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// options of one run.
type options struct {
	addresses []string
	name      string
	producers int
	record    int // bytes
	batch     int // records that one WAIT of Redis or one frame of a stream of RabbitMQ is for
	window    int // records of a producer that are not acknowledged yet
	rate      int // records a second of all producers; 0: as fast as it goes
	warmUp    time.Duration
	measured  time.Duration
}

// connection to a peer. Only one goroutine publishes.
type connection interface {
	// publish hands a record over, which may wait in a buffer until flush.
	publish(value []byte) error
	flush() error
	// close may be called while another goroutine publishes nothing any more.
	close()
}

// acks is what a connection calls, from one goroutine at a time.
type acks interface {
	// acked: the records first to last, counted from 0 as they were published, are where they have to be.
	acked(first, last int)
	failed(why error)
}

type opener func(asked options, number int, to acks) (connection, error)

var peers = map[string]opener{"redis": openRedis, "nats": openNats, "queue": openQueue, "stream": openStream}

func parse() (opener, options) {
	var asked options
	flags := flag.NewFlagSet("quipu-peers", flag.ExitOnError)
	addresses := flags.String("addresses", "", "of the nodes")
	flags.StringVar(&asked.name, "name", "bench", "of the streams or queues")
	flags.IntVar(&asked.producers, "producers", 6, "connections")
	flags.IntVar(&asked.record, "record", 1024, "bytes of a record")
	flags.IntVar(&asked.batch, "batch", 64, "records of a batch, where the peer has batches")
	flags.IntVar(&asked.window, "window", 1024, "records under way of each producer")
	flags.IntVar(&asked.rate, "rate", 0, "records a second of all producers; 0: as many as can be")
	flags.DurationVar(&asked.warmUp, "warm-up", time.Second, "how long before anything counts")
	flags.DurationVar(&asked.measured, "measured", 4*time.Second, "how long after it")
	if len(os.Args) < 2 || peers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: quipu-peers redis|nats|queue|stream --addresses HOST:PORT,... [options]")
		os.Exit(2)
	}
	flags.Parse(os.Args[2:]) // ends the program where it is wrong
	asked.addresses = strings.Split(*addresses, ",")
	if *addresses == "" || min(asked.producers, asked.record, asked.batch, asked.window) < 1 || asked.rate < 0 {
		fmt.Fprintln(os.Stderr, "quipu-peers: --addresses is needed, and nothing may be below 1")
		os.Exit(2)
	}
	return peers[os.Args[1]], asked
}

func main() {
	open, asked := parse()
	told, err := load(open, asked)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quipu-peers:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		fmt.Fprintln(os.Stderr, "quipu-peers:", err)
		os.Exit(1)
	}
}

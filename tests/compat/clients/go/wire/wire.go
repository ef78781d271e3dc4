// Package wire is what the scenarios say to a client and hear of it: JSON, a line each.
package wire

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

type Options struct {
	Bootstrap, Topic, Codec, Group string
	Partitions                     int32
	Count                          int
	Time                           int64
	Offsets                        map[int32]int64
}

type Header struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
}

type Record struct {
	I         *int     `json:"i,omitempty"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp *int64   `json:"timestamp,omitempty"`
	Key       *string  `json:"key"`
	Value     *string  `json:"value"`
	Headers   []Header `json:"headers"`
}

type Ack struct {
	I         *int  `json:"i,omitempty"`
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

type Call struct {
	Do, Name, Key, Value string
	Partitions           int32
	Replicas             int16
	Partition            int32
	Offset               int64
	Configs              map[string]string
}

var (
	lock   sync.Mutex
	output = bufio.NewWriterSize(os.Stdout, 1<<16)
)

func Print(one any) {
	line, err := json.Marshal(one)
	Must(err)
	lock.Lock()
	defer lock.Unlock()
	output.Write(append(line, '\n'))
}

func Flush() {
	lock.Lock()
	defer lock.Unlock()
	output.Flush()
}

func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Lines decodes each line of standard input.
func Lines[T any](each func(T)) {
	decoder := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<16))
	for {
		var one T
		if err := decoder.Decode(&one); err == io.EOF {
			return
		} else {
			Must(err)
		}
		each(one)
	}
}

// InputEnded is closed at the end of standard input.
func InputEnded() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	return ended
}

func Bytes(text *string) []byte {
	if text == nil {
		return nil
	}
	return []byte(*text)
}

func Text(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	text := string(bytes)
	return &text
}

func Milliseconds(at time.Time) *int64 {
	told := at.UnixMilli()
	return &told
}

// Answer prints what a call told.
func Answer(told any, err error) {
	if err != nil {
		Print(map[string]any{"error": err.Error()})
	} else {
		Print(map[string]any{"ok": told})
	}
	Flush()
}

func Main(verbs map[string]func(Options)) {
	var options Options
	Must(json.Unmarshal([]byte(os.Args[2]), &options))
	verbs[os.Args[1]](options)
	Flush()
}

func Servers(options Options) []string { return strings.Split(options.Bootstrap, ",") }

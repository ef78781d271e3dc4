package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// copies that WAIT waits for, beside the master's.
const copies = 2

// redisConnection speaks RESP itself: a batch is as many XADD as it has records and one WAIT, all in one write, and
// acknowledged when WAIT says that both replicas have them.
type redisConnection struct {
	socket net.Conn
	out    *bufio.Writer
	head   []byte // of an XADD
	asked  options
	to     acks
	open   int      // records since the last WAIT
	waits  chan int // records of each WAIT that is under way
}

func openRedis(asked options, number int, to acks) (connection, error) {
	socket, err := net.Dial("tcp", asked.addresses[0]) // the master; the others only follow
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("%s-%d", asked.name, number)
	head := fmt.Sprintf("*5\r\n$4\r\nXADD\r\n$%d\r\n%s\r\n$1\r\n*\r\n$1\r\nv\r\n$%d\r\n", len(key), key, asked.record)
	// A WAIT has one record at least, so that there are never more than records.
	c := &redisConnection{socket: socket, out: bufio.NewWriterSize(socket, 1<<16), head: []byte(head), asked: asked,
		to: to, waits: make(chan int, asked.window)}
	go c.read()
	return c, nil
}

func (c *redisConnection) publish(value []byte) error {
	c.out.Write(c.head)
	c.out.Write(value)
	_, err := c.out.WriteString("\r\n") // tells of those before it as well
	c.open++
	if err == nil && c.open == c.asked.batch {
		return c.flush()
	}
	return err
}

func (c *redisConnection) flush() error {
	if c.open > 0 {
		c.waits <- c.open
		c.open = 0
		fmt.Fprintf(c.out, "*3\r\n$4\r\nWAIT\r\n$1\r\n%d\r\n$1\r\n0\r\n", copies)
	}
	return c.out.Flush()
}

func (c *redisConnection) read() {
	in, first := bufio.NewReaderSize(c.socket, 1<<16), 0
	for count := range c.waits {
		for range count {
			if err := skipID(in); err != nil {
				c.to.failed(err)
				return
			}
		}
		line, err := in.ReadString('\n')
		if err != nil {
			c.to.failed(err)
			return
		}
		reached, err := strconv.Atoi(strings.Trim(line, ":\r\n"))
		if err != nil || line[0] != ':' || reached < copies {
			c.to.failed(fmt.Errorf("WAIT was answered %q", line))
			return
		}
		c.to.acked(first, first+count-1)
		first += count
	}
}

// skipID reads the answer to an XADD, a bulk string.
func skipID(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if line[0] != '$' {
		return fmt.Errorf("XADD was answered %q", line)
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	if err != nil {
		return err
	}
	_, err = in.Discard(size + 2)
	return err
}

func (c *redisConnection) close() {
	close(c.waits)
	c.socket.Close()
}

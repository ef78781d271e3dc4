package main

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// natsConnection publishes with a reply subject for each record, as nats.go's PublishAsync does, but without a future
// for each.
type natsConnection struct {
	client  *nats.Conn
	subject string
	inbox   string
	number  int
}

func openNats(asked options, number int, to acks) (connection, error) {
	client, err := nats.Connect("nats://"+asked.addresses[number%len(asked.addresses)], nats.Timeout(patience),
		nats.NoReconnect(), nats.ClosedHandler(func(ended *nats.Conn) {
			to.failed(fmt.Errorf("the connection ended: %v", ended.LastError()))
		}))
	if err != nil {
		return nil, err
	}
	stream, err := client.JetStream(nats.MaxWait(patience))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%d", asked.name, number)
	if _, err := stream.AddStream(&nats.StreamConfig{Name: name, Subjects: []string{name}, Replicas: 3,
		Storage: nats.FileStorage}); err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	c := &natsConnection{client: client, subject: name, inbox: nats.NewInbox() + "."}
	answers, err := client.Subscribe(c.inbox+"*", func(answer *nats.Msg) {
		number, err := strconv.Atoi(answer.Subject[len(c.inbox):])
		// An empty one says that nobody is responsible for the stream.
		if err != nil || len(answer.Data) == 0 || bytes.Contains(answer.Data, []byte(`"error"`)) {
			to.failed(fmt.Errorf("%s was answered %q %v", answer.Subject, answer.Data, answer.Header))
			return
		}
		to.acked(number, number)
	})
	if err != nil {
		return nil, err
	}
	if err := answers.SetPendingLimits(-1, -1); err != nil {
		return nil, err
	}
	return c, client.Flush()
}

func (c *natsConnection) publish(value []byte) error {
	err := c.client.PublishRequest(c.subject, c.inbox+strconv.Itoa(c.number), value)
	c.number++
	return err
}

func (c *natsConnection) flush() error {
	return nil // nats.go has a goroutine that writes at once
}

func (c *natsConnection) close() {
	c.client.Close()
}

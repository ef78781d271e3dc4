package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/message"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
)

// streamConnection publishes to a stream of RabbitMQ in frames of a batch each.
type streamConnection struct {
	environment *stream.Environment
	producer    *stream.Producer
	asked       options
	waiting     []message.StreamMessage
}

func openStream(asked options, number int, to acks) (connection, error) {
	host, port, err := net.SplitHostPort(asked.addresses[number%len(asked.addresses)])
	if err != nil {
		return nil, err
	}
	at, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	environment, err := stream.NewEnvironment(stream.NewEnvironmentOptions().SetHost(host).SetPort(at).
		SetUser("guest").SetPassword("guest"))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%d", asked.name, number)
	if err := environment.DeclareStream(name, stream.NewStreamOptions()); err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	producer, err := environment.NewProducer(name, stream.NewProducerOptions())
	if err != nil {
		return nil, fmt.Errorf("producer to %s: %w", name, err)
	}
	confirms := producer.NotifyPublishConfirmation()
	go func() {
		for some := range confirms {
			for _, confirm := range some {
				if !confirm.IsConfirmed() {
					to.failed(fmt.Errorf("record %d was refused: %v", confirm.GetPublishingId(), confirm.GetError()))
				}
				number := int(confirm.GetPublishingId()) - 1
				to.acked(number, number)
			}
		}
		to.failed(fmt.Errorf("the producer to %s was closed", name))
	}()
	return &streamConnection{environment: environment, producer: producer, asked: asked}, nil
}

func (c *streamConnection) publish(value []byte) error {
	c.waiting = append(c.waiting, amqp.NewMessage(value))
	if len(c.waiting) == c.asked.batch {
		return c.flush()
	}
	return nil
}

func (c *streamConnection) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	err := c.producer.BatchSend(c.waiting)
	c.waiting = nil
	return err
}

func (c *streamConnection) close() {
	c.environment.Close()
}

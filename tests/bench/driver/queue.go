package main

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// queueConnection publishes to a quorum queue of RabbitMQ, with publisher confirms.
type queueConnection struct {
	client  *amqp.Connection
	channel *amqp.Channel
	queue   string
}

func openQueue(asked options, number int, to acks) (connection, error) {
	client, err := amqp.Dial("amqp://guest:guest@" + asked.addresses[number%len(asked.addresses)] + "/")
	if err != nil {
		return nil, err
	}
	channel, err := client.Channel()
	if err != nil {
		return nil, err
	}
	// Its leader is the node of the connection.
	c := &queueConnection{client: client, channel: channel, queue: fmt.Sprintf("%s-%d", asked.name, number)}
	if _, err := channel.QueueDeclare(c.queue, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-quorum-initial-group-size": 3}); err != nil {
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, err
	}
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, asked.window))
	returned := channel.NotifyReturn(make(chan amqp.Return, 1))
	ended := channel.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		for confirm := range confirms { // in order: the client sorts them
			if !confirm.Ack {
				to.failed(fmt.Errorf("record %d was refused", confirm.DeliveryTag))
			}
			to.acked(int(confirm.DeliveryTag)-1, int(confirm.DeliveryTag)-1)
		}
		to.failed(fmt.Errorf("the channel was closed: %v", <-ended))
	}()
	go func() {
		for why := range returned { // and is confirmed all the same
			to.failed(fmt.Errorf("a record came back: %s", why.ReplyText))
		}
	}()
	return c, nil
}

func (c *queueConnection) publish(value []byte) error {
	return c.channel.PublishWithContext(context.Background(), "", c.queue, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: value})
}

func (c *queueConnection) flush() error {
	return nil // the client writes each record at once
}

func (c *queueConnection) close() {
	c.client.Close()
}

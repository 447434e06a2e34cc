// Package pipeline is the way of a call through NATS: a server, clients that load it, and the plain
// subscriber beside which polyvoke's invoker is measured. Each is in a process of its own.
package pipeline

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience bounds each wait.
const patience = 30 * time.Second

// Listen starts a NATS server on a free loopback port, with JetStream in a folder. It ends with the process.
func Listen(dir string) (url string, err error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoSigs: true,
		NoLog: true})
	if err != nil {
		return "", err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return "", errors.New("the NATS server did not start")
	}
	return s.ClientURL(), nil
}

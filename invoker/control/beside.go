package control

import (
	"encoding/json"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// mostAtOnce is how many deployments may go on at a time. They wait for compilers, hold a module each, and must not wait
// for one another. Further ones wait on the connection.
const mostAtOnce = 32

// beside is what goes on beside an endpoint, which is asked the next thing meanwhile.
type beside struct {
	places chan struct{} // has one for each thing that goes on

	mu      sync.Mutex
	stopped bool           // nothing is begun any more
	work    sync.WaitGroup // of what goes on; whoever begins something holds mu
}

// do has something done while the endpoint goes on, unless too much is done already: then it waits.
func (b *beside) do(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		f() // the context has ended, which it says at once
		return
	}
	b.places <- struct{}{}
	b.work.Go(func() {
		defer func() { <-b.places }()
		f()
	})
}

// end waits for what goes on.
func (b *beside) end() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.work.Wait()
}

// stopper is a micro.Service that ends when what goes on beside its endpoints has ended.
type stopper struct {
	micro.Service
	beside *beside
}

// Stop implements micro.Service.
func (s stopper) Stop() error {
	err := s.Service.Stop()
	s.beside.end()
	return err
}

// detached is a request that is answered when its endpoint does not look at it any more.
type detached struct {
	micro.Request
	nc *nats.Conn
}

// RespondJSON implements micro.Request.
func (d detached) RespondJSON(v any, _ ...micro.RespondOpt) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return d.nc.Publish(d.Reply(), b)
}

// Error implements micro.Request.
func (d detached) Error(code, text string, body []byte, _ ...micro.RespondOpt) error {
	return d.nc.PublishMsg(&nats.Msg{Subject: d.Reply(), Data: body,
		Header: nats.Header{micro.ErrorHeader: {text}, micro.ErrorCodeHeader: {code}}})
}

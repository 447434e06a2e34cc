package main

import (
	"fmt"
	"net/url"
	"time"

	node "github.com/nats-io/nats-server/v2/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// leafScript is the command leaf: a hub with JetStream in a domain, which clients reach through leaf nodes only.
func leafScript(ts *testscript.TestScript, _ []string) {
	hub := startNode(ts, &node.Options{
		JetStream: true, JetStreamDomain: "hub", StoreDir: ts.MkAbs("hub"),
		LeafNode: node.LeafNodeOpts{Host: "127.0.0.1", Port: node.RANDOM_PORT},
	})
	ts.Setenv("HUB_URL", hub.ClientURL())
	listening, err := hub.Varz(nil)
	ts.Check(err)
	leaves := &url.URL{Scheme: "nats-leaf", Host: fmt.Sprint("127.0.0.1:", listening.LeafNode.Port)}
	remote := []*node.RemoteLeafOpts{{URLs: []*url.URL{leaves}}}
	for name, o := range map[string]*node.Options{
		"LEAF_URL":    {},
		"LEAF_JS_URL": {JetStream: true, JetStreamDomain: "leaf", StoreDir: ts.MkAbs("leaf")},
	} {
		o.LeafNode.Remotes = remote
		leaf := startNode(ts, o)
		tick := time.NewTicker(5 * time.Millisecond)
		for deadline := time.Now().Add(patience); leaf.NumLeafNodes() == 0; <-tick.C {
			if time.Now().After(deadline) {
				ts.Fatalf("%s: the leaf node does not find its hub", name)
			}
		}
		tick.Stop()
		ts.Setenv(name, leaf.ClientURL())
	}
}

// startNode starts a server on loopback that ends with the story.
func startNode(ts *testscript.TestScript, o *node.Options) *node.Server {
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", node.RANDOM_PORT, true, true
	s, err := node.NewServer(o)
	ts.Check(err)
	go s.Start()
	ts.Defer(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		ts.Fatalf("the NATS server does not get ready")
	}
	return s
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// natsChildCluster is the variable that makes this test binary a server of a cluster: its name, its port for clients,
// and the ports of all for one another, its own first, with commas between. natsChildStore names its folder.
const natsChildCluster = "POLYVOKE_TEST_NATS_CLUSTER"

// clusterChild is one server of a cluster, until stdin ends.
func clusterChild(store, what string) int {
	words := strings.Split(what, ",")
	ports := make([]int, len(words))
	for i := 1; i < len(words); i++ {
		ports[i], _ = strconv.Atoi(words[i])
	}
	var routes []*url.URL
	for _, p := range ports[2:] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p))})
	}
	s, err := natsserver.NewServer(&natsserver.Options{ServerName: words[0], Host: "127.0.0.1", Port: ports[1], JetStream: true,
		StoreDir: store, NoSigs: true, NoLog: true, Routes: routes,
		Cluster: natsserver.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[2]}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		return 1
	}
	fmt.Println(s.ClientURL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	return 0
}

// freePorts returns ports on which nobody listens.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var free []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // not before all are found, so that they differ
		free = append(free, l.Addr().(*net.TCPAddr).Port)
	}
	return free
}

// startCluster starts three servers with a process each, by name, and returns their addresses.
func startCluster(t *testing.T) (servers map[string]*supervised, urls string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	ports := freePorts(t, 2*n)
	servers = map[string]*supervised{}
	var all []string
	for i := range n {
		name, dir := fmt.Sprint("n", i), t.TempDir()
		words := []string{name, strconv.Itoa(ports[i])}
		for k := range n {
			words = append(words, strconv.Itoa(ports[n+(i+k)%n]))
		}
		servers[name] = supervise(t, "server "+name, func() *exec.Cmd {
			cmd := exec.Command(self)
			cmd.Env = append(cmd.Environ(), natsChildStore+"="+dir, natsChildCluster+"="+strings.Join(words, ","))
			return cmd
		})
		all = append(all, "nats://127.0.0.1:"+words[1])
	}
	for _, s := range servers {
		s.await(t)
	}
	urls = strings.Join(all, ",")
	awaitReplicas(t, urls, n)
	return servers, urls
}

// What a cluster without a leader is given. A request that a dying server took is never answered, so each is asked again
// after tryTime.
const (
	electionTime = 3 * patience
	tryTime      = 2 * time.Second
)

// awaitReplicas waits until the servers keep streams together: what is asked before they have a leader is lost.
func awaitReplicas(t *testing.T, urls string, n int) {
	t.Helper()
	s := session(t, urls)
	ctx, cancel := context.WithTimeout(t.Context(), electionTime)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, tryTime)
		_, err := s.JS.CreateStream(try, jetstream.StreamConfig{Name: "TRIAL", Replicas: n})
		end()
		if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the cluster does not get ready: %v", err)
		}
	}
}

// The measure of TestJobsCluster; JOBS_CLUSTER_KILLS changes it.
const (
	clusterKills = 2
	clusterPause = 6 * time.Second // between two kills
)

// TestJobsCluster kills the leader of a queue that three servers keep, again and again, while jobs are published and
// run: nothing accepted is lost, and jobs start again.
func TestJobsCluster(t *testing.T) {
	servers, urls := startCluster(t)
	bin := buildPolyvoke(t, t.TempDir())
	for i := range 2 {
		joinReplicated(t, bin, urls, filepath.Join(t.TempDir(), strconv.Itoa(i)))
	}
	s := session(t, urls)
	deploying, cancel := context.WithTimeout(t.Context(), 2*deployTime)
	defer cancel()
	f := protocol.Function{Name: "good", Args: []string{"attempt", "0"},
		Job: &protocol.Job{AckWait: protocol.Duration(3 * time.Second)}}
	if _, err := s.Deploy(deploying, f, runtimestest.Wasm()); err != nil {
		t.Fatal(err)
	}
	starts := &starts{}
	if _, err := s.Subscribe(protocol.LogSubject("good"), starts.add); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var publishing sync.WaitGroup
	ids := make([][]string, 4)
	for p := range ids {
		publishing.Go(func() { ids[p] = publishAccepted(ctx, s.JS, p) })
	}
	for range number(t, "JOBS_CLUSTER_KILLS", clusterKills) {
		time.Sleep(clusterPause)
		leader := queueLeader(t, s.JS, "good")
		t.Logf("kill -9 of %s, which leads the queue", leader)
		starts.mark()
		servers[leader].signal(syscall.SIGKILL)
	}
	time.Sleep(clusterPause)
	stop()
	publishing.Wait()
	st := store.New(s.JS, store.Config{})
	accepted := 0
	for _, list := range ids {
		for _, id := range list {
			awaitDone(t, st, id)
			accepted++
		}
	}
	t.Logf("%d jobs accepted, each done; longest time without a start after a kill: %v", accepted, starts.gap())
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
}

// joinReplicated starts polyvoke serve on a cluster, with three copies of all that it stores.
func joinReplicated(t *testing.T, bin, urls, cache string) {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--server", urls, "--replicas", "3", "--cache", cache)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "NATS_TIMEOUT=60s")
	d, lines, end, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	if servingURL(lines) == "" {
		t.Fatalf("polyvoke serve does not serve: %s", d.log)
	}
}

// publishAccepted publishes jobs until ctx ends, and returns the ids of those that were accepted.
func publishAccepted(ctx context.Context, js jetstream.JetStream, p int) (accepted []string) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("p%d-%d", p, i)
		m := nats.NewMsg(protocol.RootJob + ".good")
		m.Header.Set(protocol.HeaderID, id)
		m.Header.Set(jetstream.MsgIDHeader, id)
		asking, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if _, err := js.PublishMsg(asking, m, jetstream.WithRetryAttempts(0)); err == nil {
			accepted = append(accepted, id)
		}
		cancel()
		time.Sleep(2 * time.Millisecond)
	}
	return accepted
}

// queueLeader returns the name of the server that leads the queue of a function.
func queueLeader(t *testing.T, js jetstream.JetStream, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), electionTime)
	defer cancel()
	var err error
	for ctx.Err() == nil {
		var s jetstream.Stream
		try, end := context.WithTimeout(ctx, tryTime)
		s, err = js.Stream(try, protocol.QueueStream(name))
		end()
		if err == nil && s.CachedInfo().Cluster != nil && s.CachedInfo().Cluster.Leader != "" {
			return s.CachedInfo().Cluster.Leader
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the queue has no leader: %v", err)
	return ""
}

// awaitDone waits until a job is done.
func awaitDone(t *testing.T, st *store.Store, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), electionTime)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, tryTime)
		r, ok, err := st.Record(try, "good", id)
		end()
		switch {
		case ok && r.State == protocol.StateDone:
			return
		case ok || ctx.Err() != nil:
			t.Fatalf("job %s was accepted and is %q: %v", id, r.State, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// starts watches when jobs begin.
type starts struct {
	mu      sync.Mutex
	last    time.Time
	watched bool // from a kill until the next start
	longest time.Duration
}

// add takes a log line.
func (s *starts) add(*nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.watched {
		s.longest = max(s.longest, now.Sub(s.last))
	}
	s.last = now
}

// mark says that a leader is killed now.
func (s *starts) mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = true
}

// gap returns the longest time without a start since the first mark.
func (s *starts) gap() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest.Round(time.Millisecond)
}

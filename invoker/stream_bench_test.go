package invoker_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// BenchmarkStream sends 64 MiB through a process and back: as streams, in process and over NATS, and by claim checks.
func BenchmarkStream(b *testing.B) {
	const size = 64 << 20
	limits := protocol.Limits{Input: 1 << 30, Output: 1 << 30, Timeout: protocol.Duration(5 * time.Minute)}
	s := startStreaming(b, limits)
	body := pattern(size)
	for _, way := range []string{"in process", "over NATS"} {
		b.Run("way="+strings.ReplaceAll(way, " ", "-"), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			cpu := cpuTime()
			for range b.N {
				var n counter
				err := protocol.Failure(s.ways[way].Stream(b.Context(), askProbe("echo"), plain{bytes.NewReader(body)}, &n))
				if err != nil || n != size {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/64, "cpu-ns/MiB")
		})
	}
	b.Run("way=claim", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		cpu := cpuTime()
		for range b.N {
			ask := askProbe("echo")
			ask.Body = body
			r, err := s.ways["over NATS"].(*client.Client).Call(b.Context(), ask)
			if err := protocol.Failure(r, err); err != nil || len(r.Body) != size {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/64, "cpu-ns/MiB")
	})
}

// plain hides what a Reader can do besides.
type plain struct{ io.Reader }

// counter is a Writer that counts bytes.
type counter int64

func (n *counter) Write(b []byte) (int, error) { *n += counter(len(b)); return len(b), nil }

// BenchmarkFirstByte sends a line to a process that echoes it, and waits for it: the stream goes on meanwhile.
func BenchmarkFirstByte(b *testing.B) {
	s := startStreaming(b, protocol.Limits{Timeout: protocol.Duration(5 * time.Minute)})
	for _, way := range []string{"in process", "over NATS"} {
		b.Run("way="+strings.ReplaceAll(way, " ", "-"), func(b *testing.B) {
			in, send := io.Pipe()
			receive, out := io.Pipe()
			done := make(chan error, 1)
			go func() { done <- protocol.Failure(s.ways[way].Stream(b.Context(), askProbe("echo"), in, out)) }()
			var took []time.Duration
			line := make([]byte, 10)
			for range b.N {
				begun := time.Now()
				if _, err := send.Write(line); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(receive, line); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			send.Close()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
		})
	}
}

// TestStreamsWhole sends many large streams at a time, to readers that are fast and to one of 3 MiB/s, and counts every
// byte. POLYVOKE_STREAMS=100 sends so many of 64 MiB each; without it they are few and small.
func TestStreamsWhole(t *testing.T) {
	count, size := 16, 10<<20
	if n := os.Getenv("POLYVOKE_STREAMS"); n != "" {
		if _, err := fmt.Sscan(n, &count); err != nil {
			t.Fatalf("POLYVOKE_STREAMS: %v", err)
		}
		size = 64 << 20
	}
	s := startStreaming(t, protocol.Limits{Input: 1 << 30, Concurrency: 200,
		Timeout: protocol.Duration(15 * time.Minute)})
	body := pattern(size)
	for _, way := range []string{"in process", "over NATS"} {
		for _, slow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/slow=%t", way, slow), func(t *testing.T) {
				atOnce := 2
				if slow {
					atOnce = min(count, 20)
				}
				before := heap()
				var going sync.WaitGroup // the first streams, until half a MiB has come
				var ended atomic.Int32
				places := make(chan struct{}, atOnce)
				var all sync.WaitGroup
				going.Add(atOnce)
				for i := range count {
					if slow && i == atOnce {
						wantSmall(t, &going, &ended, before, atOnce)
					}
					places <- struct{}{}
					all.Go(func() {
						defer func() { <-places }()
						out := &checker{want: body, slow: slow, begun: time.Now()}
						if i < atOnce {
							out.going = going.Done
						}
						err := protocol.Failure(s.ways[way].Stream(t.Context(), askProbe("echo"), plain{bytes.NewReader(body)}, out))
						ended.Add(1)
						if err != nil || out.n != size || out.wrong {
							t.Errorf("%d of %d bytes came, wrong ones: %t, error %v", out.n, size, out.wrong, err)
						}
					})
				}
				if slow && count == atOnce {
					wantSmall(t, &going, &ended, before, atOnce)
				}
				all.Wait()
			})
		}
	}
}

// wantSmall says how much streams that are going take, both ends and the server included, and fails if that is more than
// 8 MiB each: then their bodies are kept. While they go on there is also garbage, which is not theirs: so the least counts
// that is seen before the first of them ends.
func wantSmall(t *testing.T, going *sync.WaitGroup, ended *atomic.Int32, before uint64, count int) {
	t.Helper()
	going.Wait()
	least := int64(math.MaxInt64)
	for tries := 0; tries < 20 && (tries == 0 || ended.Load() == 0); tries++ {
		if now := int64(heap()-before) / int64(count); tries == 0 || ended.Load() == 0 {
			least = min(least, now)
		}
	}
	t.Logf("%d KiB a stream", least/1024)
	if least > 8<<20 {
		t.Errorf("a stream takes %d KiB", least/1024)
	}
}

// heap returns how many bytes are in use when what is not needed has gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what was in a sync.Pool
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// checker is a Writer that compares what it is given with what it should be, as fast as 3 MiB/s if it is slow.
type checker struct {
	want  []byte
	n     int
	wrong bool
	slow  bool
	begun time.Time
	going func() // if not nil, is called once, when half a MiB has come
}

func (c *checker) Write(b []byte) (int, error) {
	c.wrong = c.wrong || c.n+len(b) > len(c.want) || !bytes.Equal(b, c.want[c.n:c.n+len(b)])
	c.n += len(b)
	if c.going != nil && c.n > 512<<10 {
		c.going()
		c.going = nil
	}
	if c.slow {
		time.Sleep(time.Until(c.begun.Add(time.Duration(c.n) * time.Second / (3 << 20))))
	}
	return len(b), nil
}

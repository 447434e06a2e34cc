package natsd

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// start starts a server on a free port and closes it with the test.
func start(t *testing.T, c Config) *Server {
	t.Helper()
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Store == "" {
		c.Store = t.TempDir()
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestServesJetStream(t *testing.T) {
	nc, err := nats.Connect(start(t, Config{}).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(); err != nil {
		t.Errorf("JetStream: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		option nats.Option
	}{
		{"password", Config{User: "ada", Password: "lovelace"}, nats.UserInfo("ada", "lovelace")},
		{"token", Config{Token: "sesame"}, nats.Token("sesame")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := start(t, tt.config).URL()
			if _, err := nats.Connect(url); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("without: %v", err)
			}
			nc, err := nats.Connect(url, tt.option)
			if err != nil {
				t.Fatalf("with: %v", err)
			}
			nc.Close()
		})
	}
}

func TestRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	store := t.TempDir()
	first := start(t, Config{Store: store})
	for _, tt := range []struct {
		name   string
		config Config
		is     error
		want   string
	}{
		{"port", Config{Listen: taken.Addr().String()}, ErrInUse, taken.Addr().String()},
		{"store", Config{Store: store, Listen: "127.0.0.1:0"}, ErrInUse, first.URL()},
		{"all addresses", Config{Listen: ":0"}, ErrExposed, ":0"},
		{"foreign address", Config{Listen: "0.0.0.0:0"}, ErrExposed, "0.0.0.0:0"},
		{"no port", Config{Listen: "localhost"}, nil, "HOST:PORT"},
		{"bad port", Config{Listen: "localhost:nats"}, nil, "number from 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config.Store == "" {
				tt.config.Store = t.TempDir()
			}
			s, err := Start(tt.config)
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q; want %q in it, and %v", err, tt.want, tt.is)
			}
		})
	}
}

func TestStoreIsFreeAgain(t *testing.T) {
	store := t.TempDir()
	for range 3 {
		s, err := Start(Config{Listen: "127.0.0.1:0", Store: store})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// TestPowerLoss checks what the server makes of the setting; that a sync reaches the disk is the system's promise.
func TestPowerLoss(t *testing.T) {
	for _, powerLoss := range []bool{false, true} {
		s, err := Config{Store: t.TempDir(), PowerLoss: powerLoss, Log: slog.New(slog.DiscardHandler)}.start("127.0.0.1", 0,
			make(chan struct{}, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer stop(s)
		if got := s.JetStreamConfig(); got.SyncAlways != powerLoss || got.SyncInterval != 2*time.Minute {
			t.Errorf("PowerLoss %t: sync always %t, every %s", powerLoss, got.SyncAlways, got.SyncInterval)
		}
	}
}

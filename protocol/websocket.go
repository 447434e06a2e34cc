package protocol

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Events of a WebSocket, in the header Fn-Ws of a call.
const (
	SocketOpen   = "open"   // a client asks for a connection; nothing has been agreed to yet
	SocketText   = "text"   // it has sent a message, which is UTF-8
	SocketBinary = "binary" // it has sent a message of bytes
	SocketClose  = "close"  // the connection has ended
)

// SocketMessage stands for SocketText and SocketBinary in WebSocketRoute.Events.
const SocketMessage = "message"

// SocketEvents returns the words of WebSocketRoute.Events.
func SocketEvents() []string { return []string{SocketOpen, SocketMessage, SocketClose} }

// Codes with which a WebSocket ends (RFC 6455, section 7.4.1, and IANA's registry).
const (
	SocketNormal    = 1000
	SocketGoingAway = 1001 // the gateway ends, or the function is gone
	SocketProtocol  = 1002 // the client does not speak the protocol
	SocketNoStatus  = 1005 // never sent: the peer named no code
	SocketAbnormal  = 1006 // never sent: the connection was cut
	SocketBadText   = 1007 // text that is not UTF-8
	SocketPolicy    = 1008 // exit 77, or more messages than the route's rate allows
	SocketTooLarge  = 1009 // a message over a limit
	SocketFailed    = 1011 // the function failed
	SocketTryAgain  = 1013 // too slow a client, or nobody has time for the call
	SocketLowest    = 3000 // the first code that is left to programs
	SocketHighest   = 4999 // the last one
)

// Bounds of WebSockets.
const (
	MaxSocketMessage   = 1 << 20 // bytes of a client's message
	MaxSocketReason    = 123     // bytes of UTF-8 that a close frame has room for
	MaxSocketQueue     = 64      // messages that wait for a client
	MaxSocketTopics    = 64      // of one connection
	MaxSocketValue     = 128     // bytes of what a client puts into a topic
	MaxSocketProtocols = 16      // of one route
)

// SocketSubject returns the subject on which messages for a connection are published.
func SocketSubject(id string) string { return RootSocket + "." + id }

// SocketCode returns the code with which a connection ends of which a call failed with an error code of section 6.
func SocketCode(code int) int {
	switch code {
	case CodeForbidden:
		return SocketPolicy
	case CodeTooLarge:
		return SocketTooLarge
	case CodeTooMany, CodeUnavailable:
		return SocketTryAgain
	}
	return SocketFailed
}

// Push is a message for one connection: what is published on SocketSubject.
type Push struct {
	Subscribe   []string // topics that the connection gets from now on
	Unsubscribe []string // topics that it no longer gets
	Kind        string   // SocketText or SocketBinary; empty: text if it is UTF-8
	Body        []byte   // for the client; with Close the reason, which may be empty
	Close       int      // ends the connection with this code; 0: it goes on
	Silent      bool     // nothing is sent to the client: an empty body beside topics
}

// ParsePush reads a message that was published for a connection. It keeps the body. The error's code is 400, or 403 for
// a topic that nobody may be given.
func ParsePush(h Header, body []byte) (Push, error) {
	p := Push{Body: body}
	if len(h) == 0 {
		return p, nil
	}
	if err := h.check(); err != nil {
		return p, err
	}
	h = h.Fold()
	p.Subscribe, p.Unsubscribe = h.Values(HeaderSocketSubscribe), h.Values(HeaderSocketUnsubscribe)
	if len(p.Subscribe) > MaxSocketTopics || len(p.Unsubscribe) > MaxSocketTopics {
		return p, Errorf(CodeBadRequest, "", "%d topics in a message; at most %d",
			max(len(p.Subscribe), len(p.Unsubscribe)), MaxSocketTopics)
	}
	for _, topic := range p.Subscribe {
		if err := CheckTopic(topic); err != nil {
			return p, err
		}
	}
	p.Silent = len(body) == 0 && len(p.Subscribe)+len(p.Unsubscribe) > 0
	switch p.Kind = h.Get(HeaderSocket); p.Kind {
	case "", SocketText, SocketBinary:
	default:
		return p, Errorf(CodeBadRequest, "", "header %s: %.40q: use %s or %s", HeaderSocket, p.Kind, SocketText,
			SocketBinary)
	}
	return p, p.readClose(h.Get(HeaderSocketClose))
}

// readClose reads the code that ends a connection.
func (p *Push) readClose(code string) error {
	if code == "" {
		return nil
	}
	n, err := strconv.Atoi(code)
	if err != nil || !SocketCodeSent(n) {
		return Errorf(CodeBadRequest, "", "header %s: %.20q cannot end a connection: use 1000, or a code of your own, "+
			"%d to %d", HeaderSocketClose, code, SocketLowest, SocketHighest)
	}
	if len(p.Body) > MaxSocketReason || !utf8.Valid(p.Body) {
		return Errorf(CodeBadRequest, "", "a reason of %d bytes: a close frame has room for %d of UTF-8", len(p.Body),
			MaxSocketReason)
	}
	p.Close = n
	return nil
}

// SocketCodeSent reports whether an endpoint may send a code.
func SocketCodeSent(code int) bool {
	switch code {
	case 1004, SocketNoStatus, SocketAbnormal:
		return false
	}
	return code >= SocketNormal && code <= 1014 || code >= SocketLowest && code <= SocketHighest
}

// CheckTopic returns nil if a connection may be given what is published on a subject: one without wildcards, that is
// not reserved and nobody's inbox. The error's code is 400 or 403.
func CheckTopic(subject string) error {
	if len(subject) > MaxSubject {
		return Errorf(CodeBadRequest, "", "topic %.40q... has %d bytes; at most %d", subject, len(subject), MaxSubject)
	}
	for token := range strings.SplitSeq(subject, ".") {
		if !topicToken(token) {
			return Errorf(CodeBadRequest, "", "topic %.80q: a token of it is empty, or has a blank, a control character, "+
				"* or > in it", subject)
		}
	}
	if Reserved(subject) || subject[0] == '_' {
		return Errorf(CodeForbidden, "", "topic %.80q is polyvoke's or the NATS server's own", subject)
	}
	return nil
}

// topicToken reports whether a token stands for nothing but itself, for whoever reads it.
func topicToken(s string) bool {
	return literalToken(s) && !strings.ContainsAny(s, "*>") && !hasControl(s) && utf8.ValidString(s)
}

// TopicsOf returns the topics of a connection: those of the route, with what the client's path has in place of {name}.
// The error's code is 400 for a value that would make the topic another one than the route means: an empty one, one of
// several tokens, one with a wildcard, a blank or a control character, and one with more than MaxSocketValue bytes.
func (r *WebSocketRoute) TopicsOf(value func(name string) string) ([]string, error) {
	var topics []string
	for _, topic := range r.Topics {
		tokens := strings.Split(topic, ".")
		for i, token := range tokens {
			name, ok := topicName(token)
			if !ok {
				continue
			}
			if tokens[i] = value(name); len(tokens[i]) > MaxSocketValue || !topicToken(tokens[i]) {
				return nil, Errorf(CodeBadRequest, "", "{%s} = %.40q cannot be part of a topic: use 1 to %d bytes without "+
					"dots, blanks, * and >", name, tokens[i], MaxSocketValue)
			}
		}
		filled := strings.Join(tokens, ".")
		if err := CheckTopic(filled); err != nil {
			return nil, err
		}
		topics = append(topics, filled)
	}
	return Words(topics), nil
}

// topicName reads the token {NAME} of a topic.
func topicName(token string) (name string, ok bool) {
	if len(token) < 3 || token[0] != '{' || token[len(token)-1] != '}' {
		return "", false
	}
	return token[1 : len(token)-1], true
}

// Takes reports whether an event of the route's connections calls the function.
func (r *WebSocketRoute) Takes(event string) bool {
	if event == SocketText || event == SocketBinary {
		event = SocketMessage
	}
	if len(r.Events) == 0 {
		return true
	}
	for _, e := range r.Events {
		if e == event {
			return true
		}
	}
	return false
}

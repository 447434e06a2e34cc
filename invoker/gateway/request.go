package gateway

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// tell brings together what the function is told about the request besides its body.
func (x *exchange) tell() (err error) {
	q := &x.asked
	q.Kind = cmp.Or(x.route.http.Request, protocol.HTTPFiles)
	q.Method, q.Path, q.Query, q.Host = x.r.Method, x.path, x.r.URL.RawQuery, x.r.Host
	q.Route, q.Secure, q.Header, q.Only = x.route.text, x.r.TLS != nil, x.r.Header, x.route.only
	if !clean(q.Method) || !clean(q.Query) || !clean(q.Host) {
		return protocol.Errorf(protocol.CodeBadRequest, "", "the request's method, query or Host has a control character "+
			"or a blank: escape it")
	}
	if q.Kind == protocol.HTTPMessage {
		told := *q
		told.Only = []string{}
		x.call.Header, err = told.Headers()
	} else {
		x.call.Header, err = q.Headers()
	}
	if err != nil {
		return err
	}
	x.call.Header[protocol.HeaderID] = x.w.Header()["Fn-Id"] // as it is over NATS
	if x.identity.Kind != "" && x.identity.Kind != access.KindNone {
		x.introduce(x.call.Header)
	}
	return nil
}

// clean reports whether s can be a part of a request's line as it is. HTTP/2 lets blanks through, which would be where
// the next part begins.
func clean(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// read reads the body, as far as it may be long.
func (x *exchange) read() error {
	body, err := x.body()
	if err != nil {
		return err
	}
	x.seen.In = int64(len(body))
	x.call.Body = body
	if x.asked.Kind == protocol.HTTPMessage {
		x.call.Body, err = x.message(body)
	}
	return err
}

// message returns the request as a message of HTTP/1.1, without the client's credential.
func (x *exchange) message(body []byte) ([]byte, error) {
	q := x.asked
	if secret := x.identity.Credential; secret != "" && !slices.Contains(x.route.only, secret) {
		q.Header = maps.Clone(q.Header)
		delete(q.Header, secret)
	}
	return q.Message(body)
}

// limit returns how long the body may be.
func (x *exchange) limit() int64 { return cmp.Or(x.route.input, x.MaxBody) }

// tooLarge is the error for a body that is too long.
func (x *exchange) tooLarge() error {
	if x.r.ProtoMajor < 2 {
		x.w.Header().Set("Connection", "close") // nobody reads the rest
	}
	return protocol.Errorf(protocol.CodeTooLarge, "", "the body has more than %s, the most that %s takes (limits.input)",
		protocol.Size(x.limit()), x.call.Function.Name)
}

// body reads the body. One that says how long it is is refused before any of it is read, others as soon as they are
// too long.
func (x *exchange) body() ([]byte, error) {
	length, limit := x.r.ContentLength, x.limit()
	switch {
	case length == 0 || x.r.Body == nil || x.r.Body == http.NoBody:
		return nil, nil
	case length > limit:
		return nil, x.tooLarge()
	}
	var body []byte
	var err error
	if length > 0 && length <= trusted {
		body = make([]byte, length)
		_, err = io.ReadFull(x.r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, limit))
	}
	if err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, x.tooLarge()
		}
		return nil, &protocol.Error{Code: protocol.CodeBadRequest, Err: err,
			Msg: "the body did not come whole: send as many bytes as its headers say, in time"}
	}
	return body, nil
}

// trusted is up to which length, in bytes, memory for a body is there before it has come.
const trusted = 64 << 10

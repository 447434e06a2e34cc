package cloudevents

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/protocol"
)

// contentType is the header that says which mode a message has.
const contentType = "Content-Type"

// media types of structured messages.
const (
	structured = "application/cloudevents"
	inJSON     = structured + "+json"
)

// Parse reads the event that a message has. A message whose Content-Type is application/cloudevents+json is one in
// structured mode. So is one with neither a Content-Type nor an attribute among its headers: NATS messages had no
// headers when CloudEvents 1.0.2 was written. Any other message is in binary mode. The event keeps body.
//
// # Errors
//
// The code is 400 for a message that is no event, for a batch, and for a format other than JSON.
func Parse(h protocol.Header, body []byte) (Event, error) {
	h = h.Fold()
	kind := h.Get(contentType)
	mode, parameters, err := mime.ParseMediaType(kind)
	switch {
	case err == nil && mode == inJSON:
		if c := parameters["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
			return Event{}, bad("charset %.20q: JSON is UTF-8", c)
		}
		return parseJSON(body)
	case strings.HasPrefix(strings.ToLower(kind), structured):
		return Event{}, bad("Content-Type %.60q: use %s, or attributes as headers", kind, inJSON)
	}
	e, err := parseBinary(h, body)
	if len(e.Attributes) == 0 && kind == "" && err == nil {
		return parseJSON(body)
	}
	if err != nil {
		return Event{}, err
	}
	return e, e.Check()
}

// parseBinary reads the attributes among headers. Data is the body.
func parseBinary(h protocol.Header, body []byte) (Event, error) {
	e := Event{Attributes: map[string]string{}, Data: body}
	for header, values := range h {
		name, ok := attribute(header)
		if !ok {
			continue
		}
		if len(values) != 1 {
			return e, bad("header %.40q comes %d times", header, len(values))
		}
		value, err := unescape(values[0])
		if err != nil {
			return e, bad("header %.40q: %w", header, err)
		}
		e.Attributes[name] = value
	}
	if kind := h.Get(contentType); kind != "" && len(e.Attributes) > 0 && e.Attributes[DataContentType] == "" {
		e.Attributes[DataContentType] = kind // as the binding of HTTP has it
	}
	return e, nil
}

// parseJSON reads an event in the JSON format.
func parseJSON(body []byte) (Event, error) {
	members, err := object(body)
	if err != nil {
		return Event{}, bad("%w", err)
	}
	e := Event{Attributes: map[string]string{}}
	for name, raw := range members {
		if name == "data" || name == "data_base64" || string(raw) == "null" {
			continue
		}
		value, err := scalar(raw)
		if err != nil {
			return Event{}, bad("%.40q: %w", name, err)
		}
		e.Attributes[name] = value
	}
	if err := e.Check(); err != nil {
		return Event{}, err
	}
	e.Data, err = data(members, e.Attributes[DataContentType])
	return e, err
}

// object reads the members of a JSON object, none of which may come twice.
func object(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "its JSON is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	t, err := d.Token()
	if t != json.Delim('{') || err != nil {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"it has neither headers %s... nor a JSON object as body", Prefix)
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // a member's name is a string
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "%.40q comes twice", name)
		}
		if members[name] = raw; len(members) > MaxAttributes+2 {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "it has more than %d attributes", MaxAttributes)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "something follows the JSON object")
	}
	return members, nil
}

// scalar returns the value of an attribute: a string, a truth value, or a whole number of 32 bits.
func scalar(raw json.RawMessage) (string, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 32); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	}
	return "", protocol.Errorf(protocol.CodeBadRequest, "", "an attribute is a string, true, false or a whole number")
}

// data returns the data of an event in the JSON format. A JSON string is text, unless the content type says that the
// data is JSON, as it does if it is missing.
func data(members map[string]json.RawMessage, kind string) ([]byte, error) {
	raw, encoded := members["data"], members["data_base64"]
	switch {
	case raw != nil && encoded != nil:
		return nil, bad("it has data and data_base64: an event has one of them")
	case encoded != nil && string(encoded) != "null":
		var b []byte
		if err := json.Unmarshal(encoded, &b); err != nil || encoded[0] != '"' { // a list of numbers would do, too
			return nil, bad("data_base64 is no string of Base64")
		}
		return b, nil
	case raw == nil || string(raw) == "null" && !isJSON(kind):
		return nil, nil
	case raw[0] == '"' && !isJSON(kind):
		var text string
		err := json.Unmarshal(raw, &text)
		return []byte(text), err
	}
	return raw, nil
}

// isJSON reports whether a content type says that data is JSON. None says so too.
func isJSON(kind string) bool {
	mode, _, err := mime.ParseMediaType(kind)
	return kind == "" || err == nil && (strings.HasSuffix(mode, "/json") || strings.HasSuffix(mode, "+json"))
}

package protocol

// HTTPRoute is one table [[http]] of a manifest: requests of HTTP that call the function.
type HTTPRoute struct {
	Route   string   `json:"route"`             // pattern of net/http's ServeMux: "[METHOD ][HOST]/PATH"
	Request string   `json:"request,omitempty"` // how the process gets the request: HTTPFiles (default) or another
	Reply   string   `json:"reply,omitempty"`   // what stdout is: HTTPBody (default) or another
	Type    string   `json:"type,omitempty"`    // content type of a body; empty: sniffed
	Stream  bool     `json:"stream,omitempty"`  // both bodies go on as they are written
	Idle    Duration `json:"idle,omitempty"`    // the longest time without a byte of a stream; DefaultHTTPIdle
	Headers []string `json:"headers,omitempty"` // those that the function gets; nil: all but hop-by-hop ones
	Args    bool     `json:"args,omitempty"`    // values of {name} are arguments too, in the pattern's order
	Auth    string   `json:"auth,omitempty"`    // AuthNone, AuthKey, AuthJWT or "function NAME"; empty: the gateway's
	Rate    string   `json:"rate,omitempty"`    // of each client, see ParseRate; no bound
	CORS    *CORS    `json:"cors,omitempty"`    // for scripts of other origins; nil: none
}

// WebSocketRoute is one table [[websocket]] of a manifest: connections each message of which calls the function.
type WebSocketRoute struct {
	Route   string   `json:"route"`             // path of a ServeMux pattern, without a method
	Topics  []string `json:"topics,omitempty"`  // subjects whose messages each connection gets; {name} is the path's
	Headers []string `json:"headers,omitempty"` // of the handshake, as in HTTPRoute
	Origins []string `json:"origins,omitempty"` // origins of pages that may connect besides the route's own
	Auth    string   `json:"auth,omitempty"`    // as in HTTPRoute
	Rate    string   `json:"rate,omitempty"`    // of one connection's messages
	// To is the subject on which what the function writes for a message, or for the end, is published instead of being
	// sent back; {name} is the path's. Empty: it is sent back.
	To string `json:"to,omitempty"`
	// Events are those that call the function, of SocketEvents; nil: all.
	Events []string `json:"events,omitempty"`
	// Protocols are the subprotocols that it speaks, the best first; a client that offers none of them gets none.
	Protocols []string `json:"protocols,omitempty"`
}

// CORS says what scripts of pages from elsewhere may do (fetch.spec.whatwg.org, section 3.3).
type CORS struct {
	Origins     []string `json:"origins"`               // such as "https://example.org"; "*" is any
	Methods     []string `json:"methods,omitempty"`     // default: those of the path's routes
	Headers     []string `json:"headers,omitempty"`     // of requests; default: those that are asked for
	Expose      []string `json:"expose,omitempty"`      // of replies
	Credentials bool     `json:"credentials,omitempty"` // cookies and authorization; not with "*"
	MaxAge      Duration `json:"max_age,omitempty"`     // how long a browser may remember the answer; 10 minutes
}

// How a process gets a request of HTTP, and what its stdout is.
const (
	HTTPFiles   = "files" // request: in /request, the body on stdin
	HTTPCGI     = "cgi"   // request: in the environment (RFC 3875); reply: a block of headers before the body
	HTTPMessage = "http"  // a whole message of HTTP/1.1, on stdin or stdout
	HTTPBody    = "body"  // reply: the body
)

// Who may use a route.
const (
	AuthNone     = "none"
	AuthKey      = "key"       // whoever has a key of this gateway's, see polyvoke key
	AuthJWT      = "jwt"       // whoever has a token that the gateway's keys verify (RFC 7519)
	AuthFunction = "function " // and NAME: whoever that function lets in
)

// Headers of a request that came by HTTP. A client's own headers Fn-* never get there.
const (
	HeaderHTTP      = "Fn-Http"   // how the process gets it: HTTPFiles, HTTPCGI or HTTPMessage
	HeaderMethod    = "Fn-Method" // such as "GET"
	HeaderPath      = "Fn-Path"   // as it was sent, escaped
	HeaderQuery     = "Fn-Query"  // as it was sent, without the question mark
	HeaderRoute     = "Fn-Route"  // the pattern that it matched
	HeaderScheme    = "Fn-Scheme" // "https" if it came by TLS
	HeaderClient    = "Fn-Client" // the client's address
	HeaderParam     = "Fn-Param-" // and NAME: the value of {NAME}, escaped as in the path
	HeaderPrincipal = "Fn-Auth"   // who the client is, as the gateway has found out
	HeaderClaim     = "Fn-Claim-" // and NAME: what a token, or an authorizer, says of the client under that name
	HeaderSocket    = "Fn-Ws"     // event of a WebSocket: open, text, binary or close
	HeaderSocketID  = "Fn-Ws-Id"  // its connection, GATEWAY.NUMBER

	HeaderSocketCode        = "Fn-Ws-Code"        // event close: the code with which the connection ended
	HeaderSocketSubscribe   = "Fn-Ws-Subscribe"   // push: a topic that the connection gets from now on
	HeaderSocketUnsubscribe = "Fn-Ws-Unsubscribe" // push: one that it no longer gets
	HeaderSocketClose       = "Fn-Ws-Close"       // push: ends the connection with this code
)

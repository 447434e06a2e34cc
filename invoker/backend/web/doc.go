// Package web gives functions requests of HTTP as files. In go the grants of a manifest; out comes, for each run, a
// tree in which reading a file is a GET, and writing one is a POST.
//
// # Names
//
// A file is HOST[:PORT]/PATH?QUERY, as in a URL behind the scheme. The scheme is https, unless only a grant that
// begins with http:// speaks of the host and port.
//
//	/http/api.example.com/v1/items?sort=name   https://api.example.com/v1/items?sort=name
//	/http/api.example.com/%                    https://api.example.com/
//	/http/api.example.com/v1/items/%           https://api.example.com/v1/items/
//	/http/api.example.com/a/%/b                https://api.example.com/a//b
//	/http/api.example.com/a%2Fb                https://api.example.com/a%2Fb
//
// The first "?" begins the query. Escapes such as %2F are sent as they are, but those of letters, digits, "-", ".", "_"
// and "~", which mean the same without. What a URL cannot have is escaped: "a b" is sent as "a%20b". No name of a file
// has two slashes in a row, or one at its end: so a segment that is "%" alone is an empty one, and a slash in a query
// that stands there twice is written %2F. A segment "." or "..", however it is escaped, is EINVAL, and so are a "%" that
// begins no escape, control characters, and a user in front of the host.
//
// # Files beside a file
//
// A name may have one of these behind its end, behind the query if there is one:
//
//	PATH.method    written before: the method, such as PUT; without it GET, and POST with a body
//	PATH.headers   written before: headers of the request, a line "Name: value" each; read: those of the response
//	PATH.status    read: the status, such as 200
//	PATH.body      read: the body, whatever the status
//	PATH.error     read: why there is no success, as JSON {"status", "errno", "reason"}; it exists only then
//
// Reading one of the last four makes the request if it was not made yet. A path that really ends so is spelled with an
// escaped dot: "health%2Estatus".
//
// # Exchanges
//
// Opening a file to read makes the request, and waits for the status and headers. Each path is asked for once a call:
// whoever opens it again sees the same response. If the response says how long it is, it is a file of that size; if not
// it is a stream, until all of it has come. A file that is opened to write takes the body of a request, which is sent
// when it is closed; reading the file then gives the response. One that is opened to read and to write sends the body
// with the first read, and goes on with the response; it is a stream. Each body that is written is a new request, and
// writing PATH.method or PATH.headers forgets the response that there was.
//
// A status of 400 and more is an error of opening, or of closing what was written: ENOENT for 404 and 410, EACCES for
// 401, 403 and 407, EIO for others. What is not granted is ENOENT. A method that is not granted is EROFS to a process
// that writes, and EACCES to one that reads. An address that must not be reached is EACCES, a response over its limit
// EFBIG, more than max_ops requests ENOSPC, and anything else EIO. The function's log has one line a call and path that
// says why.
//
// # What is never reached
//
// Addresses are looked at when a connection is made, after the name was resolved: those of the machine, of private and
// local networks, of metadata services, and all that are not unicast addresses of the internet are refused, whatever
// the form in which they come (see Guard). Redirects are followed, at most 10, if each is granted. Of the headers that
// the function has set, only those that describe content go to another origin. Proxies of the environment are not
// used.
//
// A file that is open when the process exits is closed, and a body in it sent, whatever the exit code.
package web

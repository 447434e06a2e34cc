; The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
(import (rnrs))

(define name (get-line (current-input-port)))
(when (or (eof-object? name) (string=? name ""))
  (display "bad input: want a name\n" (current-error-port))
  (exit 65))

(display (string-append "greeting " name "\n") (current-error-port))
(display (string-append "Hello, " name "!\n"))

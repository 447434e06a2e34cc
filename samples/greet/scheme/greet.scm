; greet, in Scheme: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on stdout and one log
; line on stderr; a bad request is exit code 65. Scheme has no JSON library, so this program brings a reader that is as
; strict as RFC 8259. It works on bytes: texts of a megabyte need not become characters and bytes again.

(import (rnrs))

(define max-depth 100)
(define bad-data 65)

(define (fail reason)
  (display (string-append "bad input: " reason "\n") (current-error-port))
  (exit bad-data))

; body is the request, with a zero byte behind it, so that there always is a next one.
(define body
  (let* ([bytes (get-bytevector-all (standard-input-port))]
         [bytes (if (eof-object? bytes) (make-bytevector 0) bytes)]
         [ended (make-bytevector (+ (bytevector-length bytes) 1) 0)])
    (bytevector-copy! bytes 0 ended 0 (bytevector-length bytes))
    ended))

(define at 0) ; where its next byte is

(define (byte c) (char->integer c))
(define (here) (bytevector-u8-ref body at))
(define (advance n) (set! at (+ at n)))

; accept passes over a character, if it is the next one.
(define (accept c)
  (and (fx=? (here) (byte c)) (begin (advance 1) #t)))

; peek passes over white space and returns the character behind it.
(define (peek)
  (let loop ([bytes body] [i at])
    (case (bytevector-u8-ref bytes i)
      [(#x20 #x0A #x0D #x09) (loop bytes (fx+ i 1))]
      [else (set! at i) (integer->char (here))])))

(define (take c)
  (peek)
  (accept c))

(define (expect c)
  (unless (take c) (fail "not JSON")))

; hex4 reads four hexadecimal digits.
(define (hex4)
  (let loop ([n 0] [value 0])
    (if (= n 4)
        value
        (let ([digit (string->number (string (integer->char (here))) 16)])
          (unless digit (fail "bad \\u escape"))
          (advance 1)
          (loop (+ n 1) (+ (* value 16) digit))))))

; unicode reads what follows \u, and the second half of a pair.
(define (unicode)
  (let ([high (hex4)])
    (cond
      [(not (<= #xD800 high #xDFFF)) (integer->char high)]
      [(and (<= high #xDBFF) (accept #\\) (accept #\u))
       (let ([low (hex4)])
         (unless (<= #xDC00 low #xDFFF) (fail "lone surrogate"))
         (integer->char (+ #x10000 (* (- high #xD800) #x400) (- low #xDC00))))]
      [else (fail "lone surrogate")])))

; escape reads what follows a backslash.
(define (escape)
  (let ([c (integer->char (here))])
    (advance 1)
    (case c
      [(#\" #\\ #\/) c]
      [(#\b) #\backspace]
      [(#\f) #\page]
      [(#\n) #\newline]
      [(#\r) #\return]
      [(#\t) #\tab]
      [(#\u) (unicode)]
      [else (fail "bad escape")])))

; kinds says for each byte whether it stands for itself in a string (0), ends or escapes (1), or begins a character of several bytes (2).
(define kinds
  (let ([all (make-bytevector 256 2)])
    (do ([i 0 (+ i 1)]) ((= i 128)) (bytevector-u8-set! all i (if (< i 32) 1 0)))
    (bytevector-u8-set! all (byte #\") 1)
    (bytevector-u8-set! all (byte #\\) 1)
    all))

; wide returns the length of a character of several bytes, or ends the process where there is none (RFC 3629).
(define (wide i)
  (let* ([b (bytevector-u8-ref body i)]
         [n (cond [(< b #xC2) 0] [(< b #xE0) 2] [(< b #xF0) 3] [(< b #xF5) 4] [else 0])]
         [low (case b [(#xE0) #xA0] [(#xF0) #x90] [else #x80])]
         [high (case b [(#xED) #x9F] [(#xF4) #x8F] [else #xBF])])
    (unless (and (> n 0)
                 (<= low (bytevector-u8-ref body (+ i 1)) high)
                 (let loop ([k 2]) (or (>= k n) (and (<= #x80 (bytevector-u8-ref body (+ i k)) #xBF) (loop (+ k 1))))))
      (fail "not UTF-8"))
    n))

; plain returns where the first byte from i on is that does not stand for itself in a string.
(define (plain i)
  (let loop ([bytes body] [kinds kinds] [i i])
    (case (bytevector-u8-ref kinds (bytevector-u8-ref bytes i))
      [(0) (loop bytes kinds (fx+ i 1))]
      [(1) i]
      [else (loop bytes kinds (fx+ i (wide i)))])))

; text reads a string and returns its bytes.
(define (text)
  (expect #\")
  (call-with-bytevector-output-port
    (lambda (out)
      (let loop ()
        (let ([end (plain at)])
          (put-bytevector out body at (- end at))
          (set! at end)
          (cond
            [(accept #\\) (put-bytevector out (string->utf8 (string (escape)))) (loop)]
            [(not (accept #\")) (fail "unfinished string or control character in it")]))))))

(define (digits wrong)
  (define (digit?) (fx<=? (byte #\0) (here) (byte #\9)))
  (unless (digit?) (fail wrong))
  (let loop ()
    (when (digit?)
      (advance 1)
      (loop))))

(define (number)
  (accept #\-)
  (unless (accept #\0) (digits "not JSON"))
  (when (accept #\.) (digits "bad number"))
  (when (or (accept #\e) (accept #\E))
    (or (accept #\+) (accept #\-))
    (digits "bad number")))

(define (word letters)
  (for-each (lambda (c) (unless (accept c) (fail "not JSON"))) (string->list letters)))

; each reads what is between brackets: none, or some with commas between.
(define (each open close depth item)
  (expect open)
  (when (> depth max-depth) (fail "nested too deep"))
  (unless (take close)
    (let loop ()
      (item)
      (when (take #\,) (loop)))
    (expect close)))

(define (array depth)
  (each #\[ #\] depth (lambda () (value (+ depth 1)))))

; object reads an object and returns its last member "name", #f if that is no string.
(define (object depth)
  (let ([name #f] [called (string->utf8 "name")])
    (each #\{ #\} depth
      (lambda ()
        (let ([key (text)])
          (expect #\:)
          (let ([found (value (+ depth 1))])
            (when (bytevector=? key called) (set! name found))))))
    name))

; value passes over a value of any kind; of a string it returns the text, of others #f.
(define (value depth)
  (if (char=? (peek) #\")
      (text)
      (begin
        (case (peek)
          [(#\[) (array depth)]
          [(#\{) (object depth)]
          [(#\t) (word "true")]
          [(#\f) (word "false")]
          [(#\n) (word "null")]
          [else (number)])
        #f)))

; escaped returns how a byte is written in a string, if it does not stand for itself.
(define (escaped b)
  (case (integer->char b)
    [(#\") "\\\""]
    [(#\\) "\\\\"]
    [(#\backspace) "\\b"]
    [(#\page) "\\f"]
    [(#\newline) "\\n"]
    [(#\return) "\\r"]
    [(#\tab) "\\t"]
    [else (string-append (if (< b 16) "\\u000" "\\u001") (string-downcase (number->string (mod b 16) 16)))]))

; escape-all returns a text as it stands between the quotes of a JSON string.
(define (escape-all text)
  (call-with-bytevector-output-port
    (lambda (out)
      (let loop ([bytes text] [kinds kinds] [begun 0] [i 0])
        (cond
          [(fx=? i (bytevector-length bytes)) (put-bytevector out bytes begun (- i begun))]
          [(fx=? (bytevector-u8-ref kinds (bytevector-u8-ref bytes i)) 1)
           (put-bytevector out bytes begun (- i begun))
           (put-bytevector out (string->utf8 (escaped (bytevector-u8-ref bytes i))))
           (loop bytes kinds (fx+ i 1) (fx+ i 1))]
          [else (loop bytes kinds begun (fx+ i 1))])))))

; say writes a line to a port for bytes: what is before a name, the name, and what is behind it.
(define (say port before name behind)
  (put-bytevector port (string->utf8 before))
  (put-bytevector port name)
  (put-bytevector port (string->utf8 behind))
  (flush-output-port port))

(unless (char=? (peek) #\{) (fail "not a JSON object"))
(let ([name (object 1)])
  (peek)
  (unless (= at (- (bytevector-length body) 1)) (fail "more than one JSON value"))
  (unless name (fail "no string member \"name\""))
  (let ([name (escape-all name)])
    (say (standard-error-port) "greeting " name "\n")
    (say (standard-output-port) "{\"greeting\":\"Hello, " name "!\"}\n")))

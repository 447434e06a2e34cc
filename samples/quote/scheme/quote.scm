; quote, in Scheme: whatever the request is, it is not read. The reply is a random number and a quote.

(define quotes (vector "Simple is beautiful." "Measure, then cut." "Every call is a new process."))
(define number (random (expt 2 60)))
(format #t "~a ~a\n" number (vector-ref quotes (mod number 3)))

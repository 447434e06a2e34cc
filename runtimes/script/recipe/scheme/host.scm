; host.scm: how a script is checked and run. It is one expression, which is evaluated once for all scripts; its value is the procedure
; that main.c calls with the name of a script and whether it is only to be checked, and that returns the exit code.
(let ()
  (define bad-data 65)
  (define software-error 70)
  (define folder "/script/")

  (define arguments (foreign-procedure "host_arguments" () scheme-object))
  (define leave (foreign-procedure "host_leave" (scheme-object) scheme-object))

  (define line #f) ; where the form of the script begins that is being looked at or evaluated

  (define (finish code)
    (flush-output-port (console-output-port))
    (flush-output-port (console-error-port))
    (leave code))

  ; exit-code is what the argument of exit means.
  (define (exit-code x)
    (cond
      [(and (fixnum? x) (fx<= 0 x 255)) x]
      [(or (eq? x #t) (eq? x (void))) 0]
      [else 1]))

  (define (exit-by . codes)
    (finish (if (null? codes) 0 (exit-code (car codes)))))

  ; without-folder is a text without the folder of scripts in it.
  (define (without-folder text)
    (let ([n (string-length folder)])
      (let loop ([i 0])
        (cond
          [(> (+ i n) (string-length text)) text]
          [(string=? (substring text i (+ i n)) folder)
           (without-folder (string-append (substring text 0 i) (substring text (+ i n) (string-length text))))]
          [else (loop (+ i 1))]))))

  ; message is what a condition says, with its place in Chez's words, if it has one.
  (define (message c)
    (without-folder (with-output-to-string (lambda () (display-condition c)))))

  ; split returns what is before and behind the last occurrence of a word in a text, #f twice if there is none.
  (define (split text word)
    (let ([n (string-length word)])
      (let loop ([i (- (string-length text) n)])
        (cond
          [(< i 0) (values #f #f)]
          [(string=? (substring text i (+ i n)) word)
           (values (substring text 0 i) (substring text (+ i n) (string-length text)))]
          [else (loop (- i 1))]))))

  ; sources returns the places of the calls that a continuation consists of, as far as they are in scripts, innermost first.
  (define (sources k)
    (let loop ([o (inspect/object k)] [n 0])
      (if (or (> n 100) (not (eq? (o 'type) 'continuation)))
          '()
          (call-with-values (lambda () (o 'source-path))
            (case-lambda
              [(path line char) (cons (format "~a:~a:~a" (without-folder path) line char) (loop (o 'link) (+ n 1)))]
              [whatever (loop (o 'link) (+ n 1))])))))

  ; placed is a message with FILE:LINE:COLUMN: in front.
  (define (placed name c)
    (let*-values ([(text) (message c)]
                  [(said at) (split text " at line ")]
                  [(row rest) (if at (split at ", char ") (values #f #f))]
                  [(char file) (if rest (split rest " of ") (values #f #f))])
      (if file
          (format "~a:~a:~a: ~a" file row char said)
          (let ([calls (if (continuation-condition? c) (sources (condition-continuation c)) '())])
            (format "~a: ~a" (if (null? calls) (format "~a:~a" name line) (car calls)) text)))))

  (define (report name c)
    (flush-output-port (console-output-port))
    (format (console-error-port) "~a\n" (if (condition? c) (placed name c) (format "~a:~a: uncaught: ~s" name line c))))

  ; handler ends the process at an error that the script has not handled. Warnings are only written.
  (define (handler name code)
    (lambda (c)
      (report name c)
      (unless (and (warning? c) (not (serious-condition? c))) (finish code))))

  (define (first-form text) ; a first line that names an interpreter is not read
    (if (and (>= (string-length text) 3) (string=? (substring text 0 2) "#!") (memv (string-ref text 2) '(#\/ #\space)))
        (let loop ([i 0])
          (if (or (= i (string-length text)) (char=? (string-ref text i) #\newline)) i (loop (+ i 1))))
        0))

  ; give-arguments sets the arguments, if the script names them: they differ from call to call.
  (define (give-arguments text)
    (let-values ([(before behind) (split text "command-line")])
      (when before
        (command-line (arguments))
        (command-line-arguments (cdr (command-line))))))

  (define (line-at text position)
    (let loop ([i 0] [n 1])
      (if (= i position) n (loop (+ i 1) (if (char=? (string-ref text i) #\newline) (+ n 1) n)))))

  ; forms reads a script: a list of annotated forms, and as many lines.
  (define (forms name)
    (let* ([path (string-append folder name)]
           [bytes (let ([b (call-with-port (open-file-input-port path) get-bytevector-all)]) (if (eof-object? b) #vu8() b))]
           [text (utf8->string bytes)]
           [file (make-source-file-descriptor path (open-bytevector-input-port bytes))]
           [port (open-string-input-port text)]
           [start (first-form text)])
      (give-arguments text)
      (set-port-position! port start)
      (let loop ([position start] [last 0] [at 1] [all '()] [lines '()])
        (let-values ([(form next) (get-datum/annotations port file position)])
          (if (eof-object? form)
              (values (reverse all) (reverse lines))
              (let* ([begin (source-object-bfp (annotation-source form))]
                     [here (+ at (- (line-at (substring text last begin) (- begin last)) 1))])
                (loop next begin here (cons form all) (cons here lines))))))))

  ; program? tells whether forms are a program as R6RS has it: they begin with an import. Others are evaluated one by one.
  (define (program? all)
    (and (pair? all)
         (let ([datum (syntax->datum (car all))])
           (and (pair? datum) (eq? (car datum) 'import)))))

  ; act-on reads a script, and calls a procedure with the program or each form.
  (define (act-on name act)
    (set! line 1)
    (let-values ([(all lines) (forms name)])
      (if (program? all)
          (act `(top-level-program ,@all))
          (for-each (lambda (form at) (set! line at) (act form)) all lines))))

  ; check expands a form. What later forms need for that is evaluated: definitions of syntax, libraries, names.
  (define (check form)
    (let* ([datum (syntax->datum form)]
           [head (and (pair? datum) (car datum))])
      (if (memq head '(define-syntax define-record-type define-structure define-enumeration define-condition-type
                       import library alias meta))
          (eval form)
          (begin
            (expand form)
            (when (and (eq? head 'define) (pair? (cdr datum)))
              (let ([name (let name ([x (cadr datum)]) (if (pair? x) (name (car x)) x))])
                (when (symbol? name) (eval `(define ,name #f)))))))))

  (source-directories '("/script"))
  (library-directories '(("/script" . "/script")))
  (library-extensions '((".sls" . ".so") (".scm" . ".so") (".ss" . ".so")))
  (exit-handler exit-by)
  (abort-handler (lambda codes (finish software-error)))
  (reset-handler (lambda () (finish software-error)))

  (lambda (name checking)
    (base-exception-handler (handler name (if checking bad-data software-error)))
    (act-on name (if checking check eval))
    (finish 0)))

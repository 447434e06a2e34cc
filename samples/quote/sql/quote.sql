-- quote, in SQL: whatever the request is, it is not read. The reply is a random number and a quote.

CREATE TABLE quotes(n, text);
INSERT INTO quotes VALUES (0, 'Simple is beautiful.'), (1, 'Measure, then cut.'), (2, 'Every call is a new process.');
CREATE TABLE drawn AS SELECT random() & 0x7fffffffffffffff AS number;
SELECT number || ' ' || text FROM drawn JOIN quotes ON n = number % 3;

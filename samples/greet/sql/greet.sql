-- greet, in SQL: a request {"name":"Ada"} becomes the reply {"greeting":"Hello, Ada!"} and one log line;
-- a bad request is exit code 65. Beside SQLite's own functions there are request(), log(), exit(), utf8_valid()
-- and others. The statements before the first request() run once, the others for each request.

-- A value within the request, and how deep it is in objects and arrays.
CREATE TABLE part(depth, key, type, value);

-- A deeper part than this stops the request.
CREATE TRIGGER deep AFTER INSERT ON part WHEN new.depth > 100 AND new.type IN ('object', 'array')
BEGIN SELECT exit(65, 'bad input: nested too deep'); END;

CREATE TABLE body AS SELECT request() AS json;

-- json_valid(json, 1) is strict (RFC 8259), but does not look at the bytes of strings or behind a zero byte.
SELECT exit(65, 'bad input: not UTF-8') FROM body WHERE NOT utf8_valid(json);
SELECT exit(65, 'bad input: not JSON') FROM body WHERE NOT json_valid(json, 1) OR instr(CAST(json AS BLOB), x'00');
SELECT exit(65, 'bad input: not a JSON object') FROM body WHERE json_type(json) <> 'object';

-- Lone surrogates become bytes that are not UTF-8, in the names and strings of all parts.
WITH RECURSIVE inner(depth, key, type, value) AS (
  SELECT 1, NULL, 'object', json FROM body
  UNION ALL
  SELECT depth + 1, member.key, member.type, member.value FROM inner, json_each(inner.value) AS member
  WHERE inner.type IN ('object', 'array')
)
INSERT INTO part SELECT * FROM inner;
SELECT exit(65, 'bad input: lone surrogate') FROM part
WHERE NOT utf8_valid(key) OR type = 'text' AND NOT utf8_valid(value);

-- The last member called name counts.
CREATE TABLE name AS SELECT type, value FROM part WHERE depth = 2 AND key = 'name' ORDER BY rowid DESC LIMIT 1;
SELECT exit(65, 'bad input: no string member "name"') WHERE NOT EXISTS (SELECT 1 FROM name WHERE type = 'text');

-- A log line and the reply; json_quote escapes what must be.
SELECT log('greeting ' || substr(json_quote(value), 2, length(json_quote(value)) - 2)) FROM name;
SELECT json_object('greeting', 'Hello, ' || value || '!') FROM name;

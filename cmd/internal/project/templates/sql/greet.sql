-- The request is request(), the reply what is selected, the log log(). Exit code 65 is bad input: the caller gets 400.
-- The statements before the first request() run once, the others for each request.
CREATE TABLE body AS SELECT request() AS json;

SELECT exit(65, 'bad input: want {"name":"..."}') FROM body
WHERE NOT json_valid(json) OR json ->> '$.name' IS NULL;

SELECT log('greeting ' || (json ->> '$.name')) FROM body;
SELECT json_object('greeting', 'Hello, ' || (json ->> '$.name') || '!') FROM body;

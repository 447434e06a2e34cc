(* greet, in OCaml: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
   stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh; it runs
   natively too: ocaml greet.ml *)

let max_depth = 100
let bad_data = 65

exception Bad_input of string

let fail reason = raise (Bad_input reason)

let read_all channel =
  let all = Buffer.create 65536 and chunk = Bytes.create 65536 in
  let rec more () =
    match input channel chunk 0 (Bytes.length chunk) with
    | 0 -> Buffer.contents all
    | n -> Buffer.add_subbytes all chunk 0 n; more ()
  in
  more ()

(* A request and the place of the next byte in it. *)
type reader = { body : string; mutable at : int }

(* byte r i is the byte i places ahead, a zero byte at the end: JSON allows none. *)
let byte r i = if r.at + i < String.length r.body then r.body.[r.at + i] else '\000'

let next r = byte r 0

let skip r = r.at <- r.at + 1

let accept r c =
  let found = next r = c in
  if found then skip r;
  found

(* peek passes over white space and returns the byte behind it. *)
let rec peek r =
  match next r with
  | ' ' | '\t' | '\n' | '\r' -> skip r; peek r
  | c -> c

let take r c = ignore (peek r); accept r c

let expect r c = if not (take r c) then fail "not JSON"

let word r = String.iter (fun c -> if not (accept r c) then fail "not JSON")

let digits r =
  let start = r.at in
  while match next r with '0' .. '9' -> true | _ -> false do skip r done;
  if r.at = start then fail "bad number"

let number r =
  ignore (accept r '-');
  if not (accept r '0') then digits r;
  if accept r '.' then digits r;
  if accept r 'e' || accept r 'E' then begin
    ignore (accept r '+' || accept r '-');
    digits r
  end

(* utf8_length is the length of the UTF-8 sequence at hand: overlong forms, surrogates and everything above
   U+10FFFF are refused (RFC 3629). *)
let utf8_length r =
  let within low high i = byte r i >= low && byte r i <= high in
  let tail = within '\x80' '\xBF' in
  match next r with
  | '\x00' .. '\x7F' -> 1
  | '\xC2' .. '\xDF' when tail 1 -> 2
  | '\xE0' when within '\xA0' '\xBF' 1 && tail 2 -> 3
  | '\xED' when within '\x80' '\x9F' 1 && tail 2 -> 3
  | '\xE1' .. '\xEC' | '\xEE' .. '\xEF' when tail 1 && tail 2 -> 3
  | '\xF0' when within '\x90' '\xBF' 1 && tail 2 && tail 3 -> 4
  | '\xF4' when within '\x80' '\x8F' 1 && tail 2 && tail 3 -> 4
  | '\xF1' .. '\xF3' when tail 1 && tail 2 && tail 3 -> 4
  | _ -> fail "not UTF-8"

let hex_digit = function
  | '0' .. '9' as c -> Char.code c - Char.code '0'
  | 'a' .. 'f' as c -> Char.code c - Char.code 'a' + 10
  | 'A' .. 'F' as c -> Char.code c - Char.code 'A' + 10
  | _ -> fail "bad \\u escape"

let hex4 r =
  let value = ref 0 in
  for _ = 1 to 4 do
    value := (!value lsl 4) lor hex_digit (next r);
    skip r
  done;
  !value

let unicode_escape r =
  let high = hex4 r in
  if high < 0xD800 || high > 0xDFFF then high
  else begin
    if high > 0xDBFF || not (accept r '\\' && accept r 'u') then fail "lone surrogate";
    let low = hex4 r in
    if low < 0xDC00 || low > 0xDFFF then fail "lone surrogate";
    0x10000 + ((high - 0xD800) lsl 10) + (low - 0xDC00)
  end

(* escape reads what follows a backslash. *)
let escape r =
  let c = next r in
  skip r;
  match c with
  | '"' | '\\' | '/' -> Char.code c
  | 'b' -> 0x08
  | 'f' -> 0x0C
  | 'n' -> 0x0A
  | 'r' -> 0x0D
  | 't' -> 0x09
  | 'u' -> unicode_escape r
  | _ -> fail "bad escape"

let string r =
  expect r '"';
  let text = Buffer.create 16 in
  while not (accept r '"') do
    if next r < ' ' then fail "unfinished string or control character in it";
    if accept r '\\' then Buffer.add_utf_8_uchar text (Uchar.of_int (escape r))
    else begin
      let length = utf8_length r in
      Buffer.add_substring text r.body r.at length;
      r.at <- r.at + length
    end
  done;
  Buffer.contents text

(* value checks a value of any kind and passes over it. *)
let rec value r depth =
  match peek r with
  | '"' -> ignore (string r)
  | '[' -> sequence r depth '[' ']' (fun () -> value r (depth + 1))
  | '{' -> members r depth (fun _ -> value r (depth + 1))
  | 't' -> word r "true"
  | 'f' -> word r "false"
  | 'n' -> word r "null"
  | _ -> number r

(* sequence reads elements between two brackets, with commas between them. *)
and sequence r depth opening closing element =
  expect r opening;
  if depth > max_depth then fail "nested too deep";
  if not (take r closing) then begin
    element ();
    while take r ',' do element () done;
    expect r closing
  end

and members r depth value_of =
  sequence r depth '{' '}' (fun () ->
      ignore (peek r);
      let key = string r in
      expect r ':';
      value_of key)

(* name_of is the string member "name" of the JSON object in body; the last one counts. *)
let name_of body =
  let r = { body; at = 0 } and name = ref None in
  if peek r <> '{' then fail "not a JSON object";
  members r 1 (fun key ->
      if key = "name" then name := if peek r = '"' then Some (string r) else (value r 2; None)
      else value r 2);
  ignore (peek r);
  if r.at <> String.length body then fail "more than one JSON value";
  match !name with Some name -> name | None -> fail "no string member \"name\""

(* escaped is a text as it stands between the quotes of a JSON string. *)
let escaped text =
  let to_ = Buffer.create (String.length text + 16) in
  String.iter
    (function
      | ('"' | '\\') as c -> Buffer.add_char to_ '\\'; Buffer.add_char to_ c
      | '\b' -> Buffer.add_string to_ "\\b"
      | '\012' -> Buffer.add_string to_ "\\f"
      | '\n' -> Buffer.add_string to_ "\\n"
      | '\r' -> Buffer.add_string to_ "\\r"
      | '\t' -> Buffer.add_string to_ "\\t"
      | '\000' .. '\031' as c -> Printf.bprintf to_ "\\u%04x" (Char.code c)
      | c -> Buffer.add_char to_ c)
    text;
  Buffer.contents to_

let () =
  set_binary_mode_in stdin true;
  set_binary_mode_out stdout true;
  match name_of (read_all stdin) with
  | name ->
      let name = escaped name in
      prerr_endline ("greeting " ^ name);
      print_endline ("{\"greeting\":\"Hello, " ^ name ^ "!\"}")
  | exception Bad_input reason ->
      prerr_endline ("bad input: " ^ reason);
      exit bad_data

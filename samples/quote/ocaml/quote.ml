(* quote, in OCaml: whatever the request is, it is not read. The reply is a random number and a quote. *)

let quotes = [| "Simple is beautiful."; "Measure, then cut."; "Every call is a new process." |]

let () =
  Random.self_init ();
  let number = Random.bits () in
  Printf.printf "%d %s\n" number quotes.(number mod 3)

(* The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400. *)
let () =
  let name = try String.trim (input_line stdin) with End_of_file -> "" in
  if name = "" then begin
    prerr_endline "bad input: want a name";
    exit 65
  end;
  prerr_endline ("greeting " ^ name);
  print_endline ("Hello, " ^ name ^ "!")

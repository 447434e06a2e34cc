package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/buckets"
	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// kvCommand has the commands about buckets of keys.
func (c *cli) kvCommand() *cobra.Command {
	return c.bucketCommand(buckets.KV, "kv", "KEY", "Read and write KV buckets, which functions see as /kv/BUCKET",
		`A KV bucket has keys, each with a value: what a function with the grant kv = "BUCKET" finds as files in /kv/BUCKET.
The nats command, and any other client of NATS, reads and writes the same.`)
}

// objCommand has the commands about buckets of objects.
func (c *cli) objCommand() *cobra.Command {
	return c.bucketCommand(buckets.Objects, "obj", "NAME", "Read and write object stores, which functions see as /obj/BUCKET",
		`An object store has objects of any size: what a function with the grant obj = "BUCKET" finds as files in
/obj/BUCKET. The nats command, and any other client of NATS, reads and writes the same.`)
}

// bucketCommand has the commands about one kind of buckets.
func (c *cli) bucketCommand(kind buckets.Kind, use, entry, short, long string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	b := bucketCommands{cli: c, kind: kind, entry: entry}
	cmd.AddCommand(b.ls(), b.get(), b.put(), b.del(), b.create())
	return cmd
}

// bucketCommands makes the commands about one kind of buckets.
type bucketCommands struct {
	*cli
	kind  buckets.Kind
	entry string // what the help calls an entry
}

// open opens a bucket for the length of one command.
func (b bucketCommands) open(cmd *cobra.Command, n *connect.Settings, bucket string,
	do func(ctx context.Context, s buckets.Store) error) error {
	s, err := b.connect(cmd, n)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), s.Timeout)
	defer cancel()
	store, err := b.kind.Open(ctx, s.JS, bucket)
	if err != nil {
		return err
	}
	return do(cmd.Context(), store)
}

// isPath reports whether an argument is a file or folder of this machine, and no key or name: it begins with a dot and
// a slash, or with a slash.
func isPath(arg string) bool {
	slashed := filepath.ToSlash(arg)
	return filepath.IsAbs(arg) || slashed == "." || slashed == ".." || strings.HasPrefix(slashed, "./") ||
		strings.HasPrefix(slashed, "../")
}

// ls lists buckets, or what is in one.
func (b bucketCommands) ls() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls [BUCKET [PREFIX]]", Aliases: []string{"list"},
		Short: "List the buckets, or what is in one", Args: argsBetween(0, 2),
		ValidArgsFunction: b.complete(&n, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return b.lsBuckets(cmd, &n, asJSON)
			}
			prefix := strings.Join(args[1:], "")
			return b.open(cmd, &n, args[0], func(ctx context.Context, s buckets.Store) error {
				all, err := s.List(ctx, prefix)
				switch {
				case err != nil:
					return err
				case asJSON:
					return printJSON(b.stdout, map[string]any{"bucket": args[0], "entries": append([]buckets.Entry{}, all...)})
				}
				b.showEntries(all)
				return nil
			})
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// lsBuckets lists the buckets.
func (b bucketCommands) lsBuckets(cmd *cobra.Command, n *connect.Settings, asJSON bool) error {
	s, err := b.connect(cmd, n)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := b.kind.Buckets(cmd.Context(), s.JS)
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(b.stdout, map[string]any{"buckets": append([]buckets.Bucket{}, all...)})
	case len(all) == 0:
		fmt.Fprintln(b.stderr, b.pasteable(fmt.Sprintf("there is no %s yet: polyvoke %s create BUCKET makes one", b.kind.What,
			b.kind.Grant)))
		return nil
	}
	var rows [][]string
	for _, one := range all {
		row := []string{one.Name, terminal.Bytes(one.Bytes)}
		if b.kind == buckets.KV {
			row = append(row, strconv.FormatInt(one.Entries, 10))
		}
		rows = append(rows, row)
	}
	terminal.Table(b.stdout, b.paint(b.stdout), []string{"BUCKET", "SIZE", "VALUES"}[:len(rows[0])], rows)
	return nil
}

// showEntries shows what is in a bucket.
func (b bucketCommands) showEntries(all []buckets.Entry) {
	var rows [][]string
	for _, e := range all {
		what := terminal.Bytes(e.Size)
		if b.kind == buckets.KV {
			what = strconv.FormatUint(e.Revision, 10)
		}
		rows = append(rows, []string{e.Name, what, terminal.Age(time.Since(e.Time))})
	}
	head := []string{"NAME", "SIZE", "AGE"}
	if b.kind == buckets.KV {
		head = []string{"KEY", "REVISION", "AGE"}
	}
	if len(rows) > 0 {
		terminal.Table(b.stdout, b.paint(b.stdout), head, rows)
	}
}

// get reads an entry, or writes them all into a folder.
func (b bucketCommands) get() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var prefix string
	cmd := &cobra.Command{
		Use: "get BUCKET " + b.entry + "|./FOLDER", Short: "Write what is in a " + b.kind.Entry + " to stdout, or all into a folder",
		Long: fmt.Sprintf(`Write what is in one %s to stdout. With a folder, which begins with ./ or /, write each into a file
there, under its name.`, b.kind.Entry),
		Args: argsBetween(2, 2), ValidArgsFunction: b.complete(&n, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.open(cmd, &n, args[0], func(ctx context.Context, s buckets.Store) error {
				if isPath(args[1]) {
					o, err := buckets.Export(ctx, s, args[1], prefix, b.meter("writing files"))
					return b.told(o, err, "wrote", asJSON)
				}
				if !asJSON {
					_, err := s.Get(ctx, args[1], b.stdout)
					return err
				}
				var value bytes.Buffer
				e, err := s.Get(ctx, args[1], &value)
				if err != nil {
					return err
				}
				return printJSON(b.stdout, valued(e, value.Bytes()))
			})
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "with a folder: only what begins with this")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// valued is an entry with what is in it: as text if it is UTF-8, else in Base64.
func valued(e buckets.Entry, value []byte) any {
	out := struct {
		buckets.Entry
		Value  *string `json:"value,omitempty"`
		Base64 string  `json:"base64,omitempty"`
	}{Entry: e}
	if text := string(value); utf8.Valid(value) {
		out.Value = &text
	} else {
		out.Base64 = base64.StdEncoding.EncodeToString(value)
	}
	return out
}

// meter shows how much of a folder is done.
func (b bucketCommands) meter(what string) func(total int64) func(int64) {
	return buckets.Meter(func(r io.Reader, total int64) io.Reader { return b.progress(r, what, total) })
}

// told prints what became of a folder.
func (b bucketCommands) told(o buckets.Outcome, err error, word string, asJSON bool) error {
	for _, text := range o.Skipped {
		fmt.Fprintf(b.stderr, "%s skipped %s\n", b.paint(b.stderr).Bold("warning:"), text)
	}
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(b.stdout, o)
	}
	_, err = fmt.Fprintf(b.stdout, "%s %s, %s\n", word, terminal.Plural(o.Done, b.kind.Entry), terminal.Bytes(o.Bytes))
	return err
}

// put writes an entry, or one for each file of a folder.
func (b bucketCommands) put() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var prefix string
	value := "[VALUE|@FILE|-]"
	if b.kind == buckets.Objects {
		value = "[@FILE|-]"
	}
	cmd := &cobra.Command{
		Use: "put BUCKET " + b.entry + "|./FOLDER|./FILE " + value, Short: "Put a " + b.kind.Entry + ", or all files of a folder",
		Long: fmt.Sprintf(`Put one %[1]s; without a value it is what comes on stdin. With a folder or a file, which begins with ./
or /, put each file under its path in the folder. Names and sizes are checked before the first is put.`, b.kind.Entry),
		Args: argsBetween(2, 3), ValidArgsFunction: b.complete(&n, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isPath(args[1]) && len(args) == 3 {
				return usageError(cmd, "unexpected argument %q: %s is a file or folder, and each file has its own content", args[2],
					args[1])
			}
			return b.open(cmd, &n, args[0], func(ctx context.Context, s buckets.Store) error {
				if isPath(args[1]) {
					return b.putPath(ctx, s, args[1], prefix, asJSON)
				}
				return b.putOne(cmd, s, args[1], args[2:], asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "with a folder or file: what stands in front of each name, such as eu/")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// putPath puts a file under its own name, or the files of a folder.
func (b bucketCommands) putPath(ctx context.Context, s buckets.Store, path, prefix string, asJSON bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: check the path", err)
	}
	if info.IsDir() {
		o, err := buckets.Import(ctx, s, path, prefix, b.meter("putting files"))
		return b.told(o, err, "put", asJSON)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := s.Put(ctx, prefix+filepath.Base(path), b.progress(f, "putting "+path, info.Size()), info.Size())
	return b.putTold(e, err, asJSON)
}

// putOne puts one entry: a value, a file or stdin.
func (b bucketCommands) putOne(cmd *cobra.Command, s buckets.Store, name string, value []string, asJSON bool) error {
	r, size := b.stdin, int64(-1)
	switch {
	case len(value) == 0 || value[0] == "-":
	case strings.HasPrefix(value[0], "@"):
		f, err := os.Open(value[0][1:])
		if err != nil {
			return fmt.Errorf("%w: check the path", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		r = b.progress(f, "putting "+name, size)
	case b.kind == buckets.Objects:
		return usageError(cmd, "argument 3, %.40q: write @FILE for what is in a file, or nothing for stdin", value[0])
	default:
		r, size = strings.NewReader(value[0]), int64(len(value[0]))
	}
	e, err := s.Put(cmd.Context(), name, r, size)
	return b.putTold(e, err, asJSON)
}

// putTold prints what was put.
func (b bucketCommands) putTold(e buckets.Entry, err error, asJSON bool) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(b.stdout, e)
	case e.Revision > 0:
		_, err = fmt.Fprintf(b.stdout, "put %s, %s, revision %d\n", e.Name, terminal.Bytes(e.Size), e.Revision)
	default:
		_, err = fmt.Fprintf(b.stdout, "put %s, %s\n", e.Name, terminal.Bytes(e.Size))
	}
	return err
}

// del deletes entries.
func (b bucketCommands) del() *cobra.Command {
	var n connect.Settings
	cmd := &cobra.Command{
		Use: "del BUCKET " + b.entry + "...", Aliases: []string{"rm"},
		Short: "Delete " + b.kind.Entry + "s of a bucket", Args: argsBetween(2, -1), ValidArgsFunction: b.complete(&n, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.open(cmd, &n, args[0], func(ctx context.Context, s buckets.Store) error {
				for _, name := range args[1:] {
					if err := s.Delete(ctx, name); err != nil {
						return err
					}
					fmt.Fprintf(b.stdout, "deleted %s\n", name)
				}
				return nil
			})
		},
	}
	addConnection(cmd, &n)
	return cmd
}

// create makes a bucket.
func (b bucketCommands) create() *cobra.Command {
	var n connect.Settings
	var o buckets.Settings
	var most string
	cmd := &cobra.Command{
		Use: "create BUCKET", Short: "Make a bucket", Args: argsBetween(1, 1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if most != "" {
				size, err := protocol.ParseSize(most)
				if err != nil {
					return usageError(cmd, "--max-bytes: %v", err)
				}
				o.Bytes = int64(size)
			}
			if o.History < 0 || o.History > 64 || o.Replicas < 0 || o.Replicas > 5 || o.TTL < 0 {
				return usageError(cmd, "--history is at most 64, --replicas 1, 3 or 5, and --ttl more than zero")
			}
			s, err := b.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := b.kind.Create(cmd.Context(), s.JS, args[0], o); err != nil {
				return err
			}
			_, err = fmt.Fprintf(b.stdout, "made %s %s\n", b.kind.What, args[0])
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&most, "max-bytes", "", `most that the bucket has, such as "1GiB" (default: what the account allows)`)
	f.DurationVar(&o.TTL, "ttl", 0, "how long each "+b.kind.Entry+" is kept (default: for ever)")
	f.IntVar(&o.Replicas, "replicas", 0, "servers that keep it (default 1)")
	f.BoolVar(&o.Memory, "memory", false, "keep it in memory, and lose it with the server")
	if b.kind == buckets.KV {
		f.IntVar(&o.History, "history", 0, "values that each key keeps (default 1)")
	}
	addConnection(cmd, &n)
	return cmd
}

// complete completes the name of a bucket, and then entries: at most so many arguments, or any number if that is below
// zero. It says nothing when it cannot.
func (b bucketCommands) complete(n *connect.Settings, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		switch {
		case isPath(typed) || len(args) == 2 && cmd.Name() == "put":
			return nil, cobra.ShellCompDirectiveDefault
		case most >= 0 && len(args) >= most:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return b.ask(cmd, n, func(ctx context.Context, s *connect.Session) (names completions) {
			ctx, cancel := context.WithTimeout(ctx, completeTimeout)
			defer cancel()
			offer := func(name string) {
				if strings.HasPrefix(name, typed) && len(names) < completeLimit {
					names = append(names, name)
				}
			}
			if len(args) == 0 {
				all, _ := b.kind.Buckets(ctx, s.JS) // there is nobody to be told of an error
				for _, one := range all {
					offer(one.Name)
				}
				return names
			}
			if store, err := b.kind.Open(ctx, s.JS, args[0]); err == nil {
				all, _ := store.List(ctx, typed) // likewise
				for _, e := range all {
					offer(e.Name)
				}
			}
			return names
		})
	}
}

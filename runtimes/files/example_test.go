package files_test

import (
	"context"
	"fmt"
	"log"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// A Memory is a tree that can be written, up to a size.
func ExampleMemory() {
	ctx := context.Background()
	tmp := files.NewMemory(1 << 20)
	f, err := tmp.Open(ctx, "greeting", files.Read|files.Write|files.Create)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close(ctx)
	if _, err := f.WriteAt(ctx, []byte("hello"), files.End); err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Truncate(ctx, 1<<30) == files.ErrNoSpace)
	info, err := tmp.Stat(ctx, "greeting")
	fmt.Println(info.Size, err)
	// Output:
	// true
	// 5 <nil>
}

// Static is a tree of what is in memory already.
func ExampleStatic() {
	ctx := context.Background()
	tree := files.Static(files.Map{"id": []byte("42"), "headers/accept": []byte("*/*")})
	all, err := tree.ReadDir(ctx, ".")
	for _, e := range all {
		fmt.Println(e.Name, e.Mode.IsDir())
	}
	fmt.Println(err, tree.Mkdir(ctx, "new") == files.ErrReadOnly)
	// Output:
	// headers true
	// id false
	// <nil> true
}

// slow is an Inline tree that waits for its content in the one way in which it may.
type slow struct {
	files.Tree
	arrived chan struct{}
}

func (s slow) Inline() {}

func (s slow) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if err := files.Wait(ctx, s.arrived); err != nil {
		return nil, err
	}
	return s.Tree.Open(ctx, name, how)
}

// A tree that waits by Wait costs its process no processor meanwhile, and no goroutine.
func ExampleInline() {
	tree := slow{files.Static(files.Map{"price": []byte("7")}), make(chan struct{})}
	go close(tree.arrived)
	f, err := tree.Open(context.Background(), "price", files.Read)
	if err != nil {
		log.Fatal(err)
	}
	b := make([]byte, 10)
	n, _ := f.ReadAt(context.Background(), b, 0)
	fmt.Printf("%s %t\n", b[:n], files.IsInline(tree))
	// Output: 7 true
}

// Loads that compute, each with Go's own library. The argument says which one. What is printed is a digest of the
// result, which tells whether it was right.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
)

func main() {
	loads := map[string]func() []byte{
		"json": document, "sha256": hash, "regexp": search, "resize": thumbnail, "markdown": pages, "gzip": compress,
		"sort": order,
	}
	if len(os.Args) != 2 || loads[os.Args[1]] == nil {
		os.Exit(64)
	}
	sum := sha256.Sum256(loads[os.Args[1]]())
	fmt.Printf("%x", sum[:4])
}

// random is a generator of numbers that are the same everywhere: a linear congruence of 64 bits.
type random uint64

func (r *random) next(n int) int {
	*r = *r*6364136223846793005 + 1442695040888963407
	return int(uint64(*r>>33) % uint64(n))
}

var words = strings.Fields("call queue stream server client reply subject the a of and to in is that for it as was " +
	"with be by on not message sandbox function module deadline memory header request token account cluster")

// text returns n bytes of lines of words.
func text(n int) []byte {
	r := random(1)
	var b bytes.Buffer
	for b.Len() < n {
		for range 4 + r.next(9) {
			b.WriteString(words[r.next(len(words))])
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d.\n", r.next(100000))
	}
	return b.Bytes()[:n]
}

type order1 struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Price float64           `json:"price"`
	Tags  []string          `json:"tags"`
	Attrs map[string]string `json:"attrs"`
	Open  bool              `json:"open"`
	Note  *string           `json:"note"`
}

// document builds a document of 1 MB, reads it into structures and into a tree, changes both and writes them again.
func document() []byte {
	r := random(2)
	list := make([]order1, 5000)
	for i := range list {
		list[i] = order1{ID: i, Name: fmt.Sprintf("order \"%d\" <é>", i), Price: float64(r.next(100000)) / 100,
			Tags:  []string{words[r.next(len(words))], words[r.next(len(words))]},
			Attrs: map[string]string{"from": words[r.next(len(words))], "to": words[r.next(len(words))]}, Open: r.next(2) == 0}
		if i%3 == 0 {
			list[i].Note = &words[i%len(words)]
		}
	}
	doc, err := json.Marshal(list)
	var back []order1
	var tree []any
	if err == nil {
		err = json.Unmarshal(doc, &back)
	}
	if err == nil {
		err = json.Unmarshal(doc, &tree)
	}
	for i := range back {
		back[i].Price *= 2
		tree[i].(map[string]any)["price"] = back[i].Price
	}
	one, err1 := json.Marshal(back)
	two, err2 := json.MarshalIndent(tree, "", " ")
	check(err, err1, err2)
	return append(one, two...)
}

// hash hashes 24 MB.
func hash() []byte {
	b := text(1 << 20)
	h := sha256.New()
	for range 24 {
		h.Write(b)
	}
	return h.Sum(nil)
}

// search looks for five patterns in 1 MB.
func search() []byte {
	b := text(1 << 20)
	var out []byte
	for _, p := range []string{`(?m)^call .* (\d+)\.$`, `(queue|stream)s? (of|and) \w+`, `\b[a-f]+\s[m-z]+\b`, `\d{5}`,
		`(?i)SERVER[^.]*CLIENT`} {
		re := regexp.MustCompile(p)
		n, size := 0, 0
		for _, m := range re.FindAllIndex(b, -1) {
			n, size = n+1, size+m[1]-m[0]
		}
		out = fmt.Appendln(out, n, size)
	}
	return append(out, regexp.MustCompile(`(\w+) of (\w+)`).ReplaceAll(b[:1<<19], []byte("$2 of $1"))...)
}

// thumbnail makes a picture, packs it as JPEG, and makes a small PNG of that.
func thumbnail() []byte {
	in := image.NewRGBA(image.Rect(0, 0, 1024, 768))
	r := random(3)
	for y := range 768 {
		for x := range 1024 {
			in.SetRGBA(x, y, color.RGBA{uint8(x * y >> 8), uint8(x ^ y), uint8(x>>2 + r.next(8)), 255})
		}
	}
	var packed, out bytes.Buffer
	err := jpeg.Encode(&packed, in, nil)
	big, err1 := jpeg.Decode(&packed)
	err2 := png.Encode(&out, shrink(big, 300, 225))
	check(err, err1, err2)
	return out.Bytes()
}

// shrink averages the pixels of a picture that fall into each pixel of a smaller one.
func shrink(in image.Image, w, h int) image.Image {
	out, b := image.NewRGBA(image.Rect(0, 0, w, h)), in.Bounds()
	for y := range h {
		y0, y1 := y*b.Dy()/h, max((y+1)*b.Dy()/h, y*b.Dy()/h+1)
		for x := range w {
			x0, x1 := x*b.Dx()/w, max((x+1)*b.Dx()/w, x*b.Dx()/w+1)
			var sum [3]uint32
			for v := y0; v < y1; v++ {
				for u := x0; u < x1; u++ {
					r, g, bl, _ := in.At(u, v).RGBA()
					sum[0], sum[1], sum[2] = sum[0]+r>>8, sum[1]+g>>8, sum[2]+bl>>8
				}
			}
			n := uint32((x1 - x0) * (y1 - y0))
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
		}
	}
	return out
}

// compress packs 1.5 MB and unpacks them.
func compress() []byte {
	in := text(3 << 19)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(in)
	err1 := w.Close()
	out := packed.Bytes()
	r, err2 := gzip.NewReader(&packed)
	check(err, err1, err2)
	back, err := io.ReadAll(r)
	check(err)
	if !bytes.Equal(in, back) {
		os.Exit(70)
	}
	return fmt.Appendln(back, len(out) < len(in)/2)
}

// order sorts numbers, structures by an interface, and words.
func order() []byte {
	r := random(4)
	numbers := make([]int, 300_000)
	for i := range numbers {
		numbers[i] = r.next(1 << 30)
	}
	list := make([]order1, 100_000)
	for i := range list {
		list[i] = order1{ID: r.next(1 << 20), Name: words[r.next(len(words))]}
	}
	names := strings.Fields(string(text(1 << 20)))
	slices.Sort(numbers)
	sort.SliceStable(list, func(i, j int) bool {
		return list[i].Name < list[j].Name || list[i].Name == list[j].Name && list[i].ID < list[j].ID
	})
	sort.Strings(names)
	var out []byte
	for i := 0; i < len(list); i += 100 {
		out = fmt.Appendln(out, numbers[3*i], list[i].ID, list[i].Name, names[i])
	}
	return out
}

// check ends the program if something has failed.
func check(errs ...error) {
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
}

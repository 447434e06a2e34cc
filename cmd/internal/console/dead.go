package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// lettersAtOnce is how many letters a search reads at a time.
	lettersAtOnce = 16
	// redriveTime is how long several letters may take.
	redriveTime = time.Minute
)

// dead shows dead letters.
func (k *Console) dead(w http.ResponseWriter, r *http.Request) { k.showDead(w, r, "", "") }

// showDead shows dead letters, and what has been done to some. A search looks at their bodies, too.
func (k *Console) showDead(w http.ResponseWriter, r *http.Request, notice, trouble string) {
	l := jobQuery(r)
	l.State = ""
	list := k.Client.Dead
	if l.Query != "" {
		list = k.searched(l.Query)
	}
	err := k.names(r.Context(), &l)
	if err == nil {
		err = l.fill(r.Context(), Path+"dead", r.FormValue("after"), list, nil)
	}
	if err != nil && trouble == "" {
		trouble = problem(err)
	}
	k.render(w, r, http.StatusOK, "dead", page{Title: "Dead letters", Section: "dead", Notice: notice, Problem: trouble,
		Data: l})
}

// searched returns a lister of those dead letters that have a text in what is known of them, or in their bodies.
func (k *Console) searched(text string) lister {
	return func(ctx context.Context, q protocol.JobsRequest) (protocol.JobsReply, error) {
		reply, err := k.Client.Dead(ctx, q)
		if err != nil {
			return reply, err
		}
		keep := make([]bool, len(reply.Jobs))
		places := make(chan struct{}, lettersAtOnce)
		var group sync.WaitGroup
		for i, j := range reply.Jobs {
			if keep[i] = mentions(j, text); keep[i] {
				continue
			}
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				letter, err := k.Client.DeadLetter(ctx, j.Job)
				keep[i] = err == nil && bytes.Contains(bytes.ToLower(letter.Body), []byte(strings.ToLower(text)))
			})
		}
		group.Wait()
		var some []protocol.JobInfo
		for i, j := range reply.Jobs {
			if keep[i] {
				some = append(some, j)
			}
		}
		reply.Jobs = some
		return reply, ctx.Err()
	}
}

// letterPage is what the page of one dead letter shows.
type letterPage struct {
	protocol.LetterReply
	Function string
	Pairs    []pair
	Content  body
}

// letter shows one dead letter.
func (k *Console) letter(w http.ResponseWriter, r *http.Request) {
	job := r.PathValue("job")
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	letter, err := k.Client.DeadLetter(ctx, job)
	if err != nil {
		k.fail(w, r, err)
		return
	}
	p := letterPage{LetterReply: letter, Content: readable(letter.Body)}
	p.Function, _, _ = strings.Cut(job, ".")
	for name, values := range letter.Header {
		for _, v := range values {
			p.Pairs = append(p.Pairs, pair{name, v})
		}
	}
	sortPairs(p.Pairs)
	k.render(w, r, http.StatusOK, "letter", page{Title: "Dead letter " + job, Section: "dead", Data: p})
}

// changeDead redrives or drops dead letters: those that are named, those of a function, or all.
func (k *Console) changeDead(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		k.fail(w, r, protocol.Errorf(protocol.CodeBadRequest, "", "the form cannot be read"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), redriveTime)
	defer cancel()
	change, done := k.Client.Redrive, "Given back to the queue"
	if r.PostForm.Get("do") == "drop" {
		change, done = k.Client.Drop, "Removed"
	}
	var queries []protocol.DeadRequest
	switch r.PostForm.Get("which") {
	case "all":
		queries = []protocol.DeadRequest{{All: true}}
	case "function":
		queries = []protocol.DeadRequest{{Function: r.PostForm.Get("of")}}
	default:
		for _, job := range r.PostForm["job"] {
			queries = append(queries, protocol.DeadRequest{Job: job})
		}
	}
	if len(queries) == 0 {
		k.showDead(w, r, "", "No letter is chosen: tick some, and try again.")
		return
	}
	n, trouble := 0, ""
	for _, q := range queries {
		reply, err := change(ctx, q, nil)
		n += reply.Done
		if err != nil {
			trouble = problem(err)
			break
		}
		for _, f := range reply.Failed {
			trouble = fmt.Sprintf("%s stays: %s", f.Job, f.Error)
		}
	}
	k.catalog.forget()
	k.showDead(w, r, done+": "+terminal.Plural(n, "dead letter")+".", trouble)
}

package show

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
)

// LogPrinter says what to print, and how.
type LogPrinter struct {
	// Out takes the lines. It must not be nil.
	Out io.Writer
	// Paint colours them; the zero value does not.
	Paint terminal.Paint
	// JSON makes each a document.
	JSON bool
	// Name is the function. Empty means all.
	Name string
	// Follow goes on with lines as they are written.
	Follow bool
	// Lines is how many recent lines to print first.
	Lines int
}

// Print prints recent lines and, if it is to follow, those that come until ctx ends, whose error it returns then. Its
// errors are those of client.Logs.
func (p *LogPrinter) Print(ctx context.Context, c *client.Client) error {
	for l, err := range c.Logs(ctx, client.LogQuery{Name: p.Name, Lines: p.Lines, Follow: p.Follow}) {
		if err != nil {
			return err
		}
		if err := p.line(l); err != nil {
			return err
		}
	}
	return nil
}

// line prints one line of a log.
func (p *LogPrinter) line(l client.LogLine) error {
	if p.JSON {
		return json.NewEncoder(p.Out).Encode(map[string]any{
			"time": l.Time.UTC(), "function": l.Function.Name, "version": l.Function.Version, "id": l.ID, "text": l.Text,
			"platform": l.Platform,
		})
	}
	text := l.Text
	if l.Platform {
		text = p.Paint.Dim(text)
	}
	_, err := fmt.Fprintf(p.Out, "%s %s %s %s\n", p.Paint.Dim(l.Time.Local().Format("15:04:05.000")),
		p.Paint.Bold(l.Function.String()), p.Paint.Dim(l.ID), text)
	return err
}

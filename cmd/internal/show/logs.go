package show

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"time"

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
	// Names are functions, or patterns of path.Match. None means all.
	Names []string
	// Follow goes on with lines as they are written.
	Follow bool
	// Lines is how many recent lines to print first.
	Lines int
	// Since is from when on lines are printed. Zero means from the first that is kept.
	Since time.Time
	// ID is the call whose lines are printed. Empty means all.
	ID string
	// Grep is what lines have to match. Nil means nothing.
	Grep *regexp.Regexp
	// Level is one of LogLevels. Empty means all lines.
	Level string
}

// Print prints recent lines and, if it is to follow, those that come until ctx ends, whose error it returns then. Its
// errors are those of client.Logs.
func (p *LogPrinter) Print(ctx context.Context, c *client.Client) error {
	for l, err := range c.Logs(ctx, client.LogQuery{Names: p.Names, Lines: p.Lines, Follow: p.Follow, Since: p.Since,
		Match: p.match()}) {
		if err != nil {
			return err
		}
		if err := p.line(l); err != nil {
			return err
		}
	}
	return nil
}

// The kinds of lines.
const (
	LevelFunction = "function" // what functions write
	LevelPlatform = "platform" // what polyvoke says about their calls
	LevelError    = "error"    // what polyvoke says, and lines of functions that speak of an error
)

// LogLevels are the kinds of lines that can be asked for.
func LogLevels() []string { return []string{LevelFunction, LevelPlatform, LevelError} }

// complains matches lines that speak of an error. Programs have no common way to say so; these are the words of the
// usual loggers, of panics, of exceptions and of compilers.
var complains = regexp.MustCompile(`(?i)\b(err|error|errors|fatal|panic|panicked|critical|crit|emerg|alert|severe|` +
	`exception|traceback|failed|failure|abort|aborted)\b|\w(Error|Exception)\b`)

// match returns what reports whether a line is to be printed; nil for all.
func (p *LogPrinter) match() func(client.LogLine) bool {
	if p.ID == "" && p.Grep == nil && p.Level == "" {
		return nil
	}
	return func(l client.LogLine) bool {
		if p.ID != "" && l.ID != p.ID || p.Grep != nil && !p.Grep.MatchString(l.Text) {
			return false
		}
		switch p.Level {
		case LevelFunction:
			return !l.Platform
		case LevelPlatform:
			return l.Platform
		case LevelError:
			return l.Platform || complains.MatchString(l.Text)
		}
		return true
	}
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

package invoker

import (
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// record puts the recording of a run that has ended into its reply. Only callers in this process ask for one.
func (c *call) record() {
	usage := &c.process.Usage
	r := &protocol.Recording{Function: *c.version.manifest, ID: c.id(),
		Time: time.Now().Add(-usage.Duration), Subject: c.request.Subject, Args: c.request.Args, Header: c.request.Header,
		Deadline: c.request.Deadline, Exit: c.reply.Exit,
		Fuel: usage.Fuel, Memory: usage.Memory, Start: usage.Start, Duration: usage.Duration}
	if e := c.reply.Err; e != nil {
		r.Code, r.Error = e.Code, protocol.CleanValue(e.Msg, protocol.MaxErrorText)
	}
	r.SetStdin(c.request.Body)
	r.Stdout = protocol.Beginning(c.stdout.Bytes(), protocol.MaxRecordedStdout)
	r.Stderr = protocol.Output{Size: c.log.Size(), Kept: append([]byte(nil), c.log.Tail()...)}
	setDraws(r, c.process.Draws)
	c.setFiles(r)
	c.reply.Recording = r
}

// newJournal returns what takes down what a run does with the files that it is granted, or nil. A run that is made
// again is taken down alone.
func (c *call) newJournal() *journal.Record {
	c.journal, c.uncommitted = nil, 0
	if c.request.Record {
		c.journal = new(journal.Record)
	}
	return c.journal
}

// setFiles keeps what the run did with the files that it was granted, or says why that is not known.
func (c *call) setFiles(r *protocol.Recording) {
	if c.version == nil || c.version.grants == nil {
		return
	}
	if c.journal == nil {
		r.Leave("files: it was not run, because it was done before")
		return
	}
	kept, lost := c.journal.End()
	if lost != "" {
		r.Leave("files: %s", lost)
		return
	}
	kept.Code = c.uncommitted
	r.Files = kept
}

// setDraws keeps what a process has drawn, or says why that is not known.
func setDraws(r *protocol.Recording, d *recording.Draws) {
	if why := d.Lost(); why != "" {
		r.Leave("time and entropy: %s", why)
		return
	}
	text, err := d.MarshalText()
	if err != nil || len(text) > protocol.MaxRecordedDraws {
		r.Leave("time and entropy: there is no room for what it drew")
		return
	}
	r.Draws = string(text)
}

package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals turns SIGINT and SIGTERM into the soft and the hard stop.
type signals struct {
	hard context.Context
	end  func() os.Signal // stops watching; the first signal, nil where there was none
}

// watchSignals calls soft at the first signal and ends the hard context at the second; tell hears of each.
func watchSignals(soft func(), tell func(n int, sig os.Signal)) signals {
	hard, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // a terminal that closes must not leave every running post in doubt; nohup stays nohup
		signal.Notify(ch, syscall.SIGHUP)
	}
	// Whoever read our output may go away (a pager, a broken connection). That must not kill posts half-way: the write fails, the
	// console notes it and the run goes on. Not Ignore: the publisher's programs would inherit that.
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, syscall.SIGPIPE)
	var wg sync.WaitGroup
	var first os.Signal
	wg.Go(func() {
		n := 0
		for sig := range ch {
			if n++; n == 1 {
				first = sig
				soft()
			} else {
				cancel()
			}
			tell(n, sig)
		}
	})
	return signals{hard: hard, end: func() os.Signal {
		signal.Stop(gone)
		signal.Stop(ch)
		close(ch)
		wg.Wait()
		cancel()
		return first
	}}
}

package httpd

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Ledger is where several servers count together, or each of them would give a source the whole budget.
type Ledger interface {
	// Spend charges all of these budgets of one who, or none of them and says in what time they would fit.
	Spend(ctx context.Context, who string, charges []Charge) (wait time.Duration, err error)
}

// Charge is what is to be spent from one budget, as GCRA counts it.
type Charge struct {
	Budget string
	Cost   time.Duration // how much later the budget is full again; negative gives back
	Ahead  time.Duration // how much later than now it may be full; negative: as much as it likes
	Ask    bool          // only ask whether it would fit
}

// whole is a ledger and the key under which sources are named in it: addresses of people do not belong there.
type whole struct {
	ledger Ledger
	key    [32]byte
}

// Share makes l count in ledger as well. What fits neither here nor there is refused; here comes first, for somebody who
// asks too much at one server must not make work at the ledger.
func (l *Limits) Share(ledger Ledger, key [32]byte) { l.whole = whole{ledger, key} }

// charge is n units of a budget.
type charge struct {
	budget int
	n      int64
	how    how
}

type how uint8

const (
	spends    how = iota // if it fits
	asks                 // whether it would fit
	overdraws            // whether it fits or not
)

// spendTogether charges the ledger. If the ledger is in trouble, what is counted here must do; the request will find the
// trouble by itself.
func (l *Limits) spendTogether(ctx context.Context, source Source, charges ...charge) (retry time.Duration, ok bool) {
	if l.whole.ledger == nil {
		return 0, true
	}
	who := source
	all := make([]Charge, 0, 2*len(charges))
	wide, isWide := source.wide()
	for _, c := range charges {
		name := DefaultBudgets[c.budget].Name
		all = append(all, l.meter[c.budget].charge(name+":"+l.whole.name(source), c))
		if isWide {
			all = append(all, l.wide[c.budget].charge(name, c))
		}
	}
	if isWide {
		who = wide // under one hash tag with everybody in it
	}
	wait, err := l.whole.ledger.Spend(ctx, l.whole.name(who), all)
	if err != nil || wait <= 0 {
		return 0, true
	}
	return (wait + time.Second - 1).Truncate(time.Second), false
}

// charge puts c into times. More than the whole budget is let through when the budget is full, as [Limits.Reserve] says.
func (m *meter) charge(budget string, c charge) Charge {
	cost := min(c.n, m.most()) * m.cost
	out := Charge{Budget: budget, Cost: time.Duration(cost), Ahead: time.Duration(max(m.window, cost)), Ask: c.how == asks}
	if c.how == overdraws {
		out.Ahead = -1
	}
	return out
}

// name tells sources apart without telling who they are.
func (w *whole) name(s Source) string {
	mac := hmac.New(sha256.New, w.key[:])
	mac.Write([]byte("source:"))
	mac.Write(binary.BigEndian.AppendUint64([]byte{s.bits}, s.net))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:15])
}

package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Charge is what is to be spent from one budget.
type Charge struct {
	Budget string
	Cost   time.Duration // how much later the budget is full again; negative gives back
	Ahead  time.Duration // how much later it may be; negative: as much as it likes, for what has happened already
	Ask    bool          // only ask whether it would fit
}

// Spend charges all of who's budgets, or none of them and says in what time they would fit. The budgets of one who are
// under one hash tag.
func (s *Store) Spend(ctx context.Context, who string, charges []Charge) (wait time.Duration, err error) {
	keys := make([]string, len(charges))
	args := make([]any, 0, 3*len(charges))
	for i, c := range charges {
		keys[i] = "hp:{" + who + "}:" + c.Budget
		var ahead any = ""
		if c.Ahead >= 0 {
			ahead = c.Ahead.Microseconds()
		}
		args = append(args, c.Cost.Microseconds(), ahead, flag(c.Ask))
	}
	cmd, err := s.call(ctx, keys[0], false, func(b *batch) *redis.Cmd { return b.run(ctx, spend, keys, args...) })
	if err != nil {
		return 0, fmt.Errorf("counting in Redis: %w", err)
	}
	micros, err := cmd.Int64()
	return time.Duration(micros) * time.Microsecond, err
}

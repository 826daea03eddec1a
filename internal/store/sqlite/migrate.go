package sqlite

import (
	"embed"
	"fmt"
	"io/fs"
)

// Migrations are numbered by their order and run once each, in one transaction with the number that
// user_version then holds. They are never edited after a release: a change is a new file.
//
//go:embed migrations/*.sql
var migrations embed.FS

func migrate(c *conn) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := c.numbers(`PRAGMA user_version`)
	if err != nil {
		return err
	}
	have := int(version[0])
	if have > len(names) {
		return fmt.Errorf("the database is of version %d, made by a newer server; this one knows %d", have, len(names))
	}
	for i := have; i < len(names); i++ {
		sql, err := migrations.ReadFile(names[i])
		if err != nil {
			return err
		}
		if err := c.exec(fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT", sql, i+1)); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

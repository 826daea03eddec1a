package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// inigma does what a browser with inigma's client does, which knows nothing of claim tokens and long UIDs (PROTOCOL 5):
//
//	inigma keep file text key    keeps a text for the user of a key, and writes its link to file
//	inigma claim file key        claims the secret of the link in file for the user of a key
func inigma(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	switch {
	case len(args) == 4 && args[0] == "keep":
		err = inigmaKeep(ts, args[1], args[2], readKept(ts, args[3]))
	case len(args) == 3 && args[0] == "claim":
		err = inigmaClaim(ts.ReadFile(args[1]), readKept(ts, args[2]))
	default:
		ts.Fatalf("usage: inigma keep file text key, inigma claim file key")
	}
	if (err != nil) != neg {
		ts.Fatalf("%v", err)
	}
}

func readKept(ts *testscript.TestScript, file string) seal.Kept {
	k, err := seal.ParseKept(strings.TrimSpace(ts.ReadFile(file)))
	ts.Check(err)
	return k
}

func inigmaKeep(ts *testscript.TestScript, file, text string, own seal.Kept) error {
	key := seal.NewKept()
	sealed, err := key.Seal(text)
	if err != nil {
		return err
	}
	var made wire.KeptCreated
	err = post("/api/create", map[string]any{
		"encrypted_message": sealed.Message, "iv": sealed.IV, "salt": sealed.Salt, "creator_uid": keyring.LegacyUID(own),
	}, &made)
	if err != nil {
		return err
	}
	l, err := link.NewKept(server, made.View, key)
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(file), []byte(l.Reveal()+"\n"), 0o600)
}

func inigmaClaim(text string, own seal.Kept) error {
	l, err := link.Parse(text)
	if err != nil {
		return err
	}
	var s wire.KeptSecret
	if err := post("/api/view", map[string]any{"view": l.Ref, "uid": keyring.LegacyUID(own)}, &s); err != nil {
		return err
	}
	key, _ := l.Kept()
	sealed, err := keyring.Reseal(seal.Claimable{Message: s.Message, IV: s.IV, Salt: s.Salt}, key, own)
	if err != nil {
		return err
	}
	return post("/api/update", map[string]any{
		"view": l.Ref, "uid": keyring.LegacyUID(own), "encrypted_message": sealed.Message, "iv": sealed.IV, "salt": sealed.Salt,
	}, &wire.KeptDone{})
}

func post(path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := http.Post(server+path, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

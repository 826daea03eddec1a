package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
)

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Example: `  hush completion bash > ~/.local/share/bash-completion/completions/hush
  hush completion zsh > "${fpath[1]}/_hush"
  hush completion fish > ~/.config/fish/completions/hush.fish`,
		Args:      atMost(1),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			shell := strings.Join(args, "")
			switch root := cmd.Root(); shell {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return misused("name a shell: bash, zsh or fish")
		},
	}
}

// completeShortID offers what was sent from here, with the day it was sent. It asks no server: a Tab should not wait.
func (a *app) completeShortID(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	dir, err := a.stateDir()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	entries, _, _ := state.NewSent(dir).List()
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, cobra.CompletionWithDesc(e.Alias, "sent "+when(e.Created)))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

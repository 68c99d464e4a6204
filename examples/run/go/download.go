// Hands out the secret in the file `content` once, in the way that is asked for.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// As it was published: open, remove whatever is there, read.
func openThenRemove() (string, error) {
	content, err := os.Open("content")
	if err != nil {
		return "", err
	}
	defer content.Close()
	os.Remove("content")
	return delivered(content)
}

// As it was published, with a look at the note of an earlier download first.
func metaFirst() (string, error) {
	if _, err := os.Stat("meta"); err == nil {
		return "", fs.ErrNotExist
	}
	return openThenRemove()
}

// As it was fixed: the rename has one winner.
func rename() (string, error) {
	if err := os.Rename("content", "content.download"); err != nil {
		return "", err
	}
	content, err := os.Open("content.download")
	if err != nil {
		return "", err
	}
	defer content.Close()
	if err := os.Remove("content.download"); err != nil {
		return "", err
	}
	return delivered(content)
}

// One call fewer: the removal has one winner.
func removeDecides() (string, error) {
	content, err := os.Open("content")
	if err != nil {
		return "", err
	}
	defer content.Close()
	if err := os.Remove("content"); err != nil {
		return "", err
	}
	return delivered(content)
}

func delivered(content *os.File) (string, error) {
	if err := os.WriteFile("meta", []byte("downloaded"), 0o600); err != nil {
		return "", err
	}
	secret, err := io.ReadAll(content)
	return string(secret), err
}

func main() {
	ways := map[string]func() (string, error){
		"open-then-remove": openThenRemove,
		"meta-first":       metaFirst,
		"rename":           rename,
		"remove-decides":   removeDecides,
	}
	secret, err := ways[os.Args[1]]()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Println("gone")
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	default:
		fmt.Println("delivered", secret)
	}
}

// Go's default client.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"strings"
)

var base = os.Getenv("BASE_URL")

type echo struct {
	Method string
	Target string
	Length int
	Sha256 string
}

// call makes a request with the app's own key and gives the answer's body, and
// whether the connection had been used before.
func call(method, path string, body io.Reader) ([]byte, bool) {
	request, err := http.NewRequest(method, base+path, body)
	check(err)
	request.Header.Set("Authorization", "Bearer "+os.Getenv("DUMMY"))
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
	response, err := http.DefaultClient.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	check(err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	check(err)
	expect(response.StatusCode == 200, response.Status, string(content))
	return content, reused
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(good bool, otherwise ...any) {
	if !good {
		panic(fmt.Sprint(otherwise...))
	}
}

func parsed(content []byte, _ bool) (answer echo) {
	check(json.Unmarshal(content, &answer))
	return
}

func main() {
	first := parsed(call("GET", "/echo", nil))
	expect(first.Method == "GET" && first.Target == "/v1/echo", first)

	body := bytes.Repeat([]byte("0123456789"), 30_000)
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	posted := parsed(call("POST", "/echo", bytes.NewReader(body)))
	expect(posted.Sha256 == digest && posted.Length == len(body), posted)
	// Without a length: in chunks.
	streamed := parsed(call("POST", "/echo", io.MultiReader(bytes.NewReader(body))))
	expect(streamed.Sha256 == digest, streamed)

	// It asks for gzip and unpacks it by itself.
	packed, _ := call("GET", "/gzip", nil)
	expect(string(packed) == "{\"packed\": true}\n", string(packed))

	// It follows the redirect, with the app's key again.
	redirected := parsed(call("GET", "/redirect", nil))
	expect(strings.HasSuffix(redirected.Target, "/echo?redirected"), redirected)

	for range 50 {
		_, reused := call("GET", "/echo", nil)
		expect(reused, "the connection was not kept")
	}
	fmt.Println(runtime.Version(), "get, post, chunked, gzip, redirect, 50 more on one connection")
}

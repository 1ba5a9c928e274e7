package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// kubeEnv names the directory that integration/kube/build.sh prints. Without it tests with a control plane leave themselves out.
const kubeEnv = "FAIRLEAD_KUBE"

// A controlPlane is a kube-apiserver over an etcd of its own, on loopback. It has no controllers: statuses and EndpointSlices are written
// by the test.
type controlPlane struct {
	t    *testing.T
	dir  string
	bin  string
	port int
	etcd *exec.Cmd
	api  *exec.Cmd
	// stores counts the etcds that were begun empty.
	stores int
	// store is the directory of the etcd that runs.
	store    string
	etcdPort int
	client   *http.Client
}

func startControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	bin := os.Getenv(kubeEnv)
	if bin == "" {
		t.Skipf("%s is not set: `make test-kube` sets it", kubeEnv)
	}
	c := &controlPlane{t: t, dir: t.TempDir(), bin: bin, port: suite.FreePort(t),
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	c.write("tokens", "admin,admin,1,system:masters\nreader,fairlead,2\n")
	for name, token := range map[string]string{"kubeconfig": "reader", "admin": "admin"} {
		c.write(name, fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],
"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:%d","insecure-skip-tls-verify":true}}],"users":[{"name":"x","user":{"token":%q}}]}`, c.port, token))
	}
	t.Cleanup(func() {
		c.kill(&c.api)
		c.kill(&c.etcd)
	})
	c.startEtcd()
	c.startAPI()
	return c
}

func (c *controlPlane) write(name, content string) {
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600))
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.dir, name) }

// startEtcd starts an etcd with an empty store.
func (c *controlPlane) startEtcd() {
	c.stores++
	c.startStore(c.path(fmt.Sprintf("etcd-%d", c.stores)))
}

// startStore starts an etcd with a store, which is a directory.
func (c *controlPlane) startStore(store string) {
	c.store = store
	c.etcdPort = suite.FreePort(c.t)
	peer := suite.FreePort(c.t)
	client, peers := fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort), fmt.Sprintf("http://127.0.0.1:%d", peer)
	c.etcd = c.start("etcd", "--data-dir", store, "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers, "--unsafe-no-fsync", "--log-level=error")
}

// startAPI starts the API server and waits until it is ready.
func (c *controlPlane) startAPI() {
	c.api = c.start("kube-apiserver", "--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort), "--secure-port", fmt.Sprint(c.port), "--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--cert-dir", c.path("certs"), "--token-auth-file", c.path("tokens"), "--authorization-mode=RBAC",
		"--service-account-key-file", c.path("sa.key"), "--service-account-signing-key-file", c.path("sa.key"), "--service-account-issuer=https://127.0.0.1", "--service-cluster-ip-range=10.96.0.0/16", "-v=0")
	await(c.t, "the API server", func() bool {
		_, err := c.request("GET", "/readyz", "", "")
		return err == nil
	})
	await(c.t, "the namespace kube-system", func() bool {
		_, err := c.request("GET", "/api/v1/namespaces/kube-system", "", "")
		return err == nil
	})
}

func (c *controlPlane) start(name string, args ...string) *exec.Cmd {
	log, err := os.OpenFile(c.path(name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(c.t, err)
	defer log.Close()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(c.t, cmd.Start())
	return cmd
}

// kill ends a process as a failure would.
func (c *controlPlane) kill(cmd **exec.Cmd) {
	if *cmd == nil {
		return
	}
	_ = (*cmd).Process.Kill()
	_ = (*cmd).Wait()
	*cmd = nil
}

// request asks the API as administrator.
func (c *controlPlane) request(method, path, kind, body string) (string, error) {
	req, err := http.NewRequest(method, fmt.Sprintf("https://127.0.0.1:%d%s", c.port, path), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer admin")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	return string(b), err
}

// kubectl runs kubectl as administrator, with what it reads on its standard input.
func (c *controlPlane) kubectl(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"--kubeconfig", c.path("admin"), "--cache-dir", c.path("kubectl")}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// apply applies manifests as strictly as the API validates them; without any, those that args name.
func (c *controlPlane) apply(manifests string, args ...string) {
	c.t.Helper()
	if manifests != "" {
		args = append([]string{"-f", "-"}, args...)
	}
	out, err := c.kubectl(manifests, append([]string{"apply", "--server-side", "--validate=strict"}, args...)...)
	require.NoError(c.t, err, out)
}

// do asks the API and fails the test where it refuses.
func (c *controlPlane) do(method, path, body string) string {
	c.t.Helper()
	kind := "application/json"
	if method == "PATCH" {
		kind = "application/merge-patch+json"
	}
	out, err := c.request(method, path, kind, body)
	require.NoError(c.t, err)
	return out
}

// create stores an object of a group and version ("v1" is the core's), and returns its path.
func (c *controlPlane) create(version, namespace, plural, object string) string {
	c.t.Helper()
	path := "/apis/" + version
	if !strings.Contains(version, "/") {
		path = "/api/" + version
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	var o struct{ Metadata struct{ Name string } }
	require.NoError(c.t, json.Unmarshal([]byte(object), &o))
	c.do("POST", path+"/"+plural+"?fieldValidation=Strict", object)
	return path + "/" + plural + "/" + o.Metadata.Name
}

// namespace makes one.
func (c *controlPlane) namespace(name string) {
	c.create("v1", "", "namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, name))
}

// service makes a Service of type LoadBalancer and returns its path.
func (c *controlPlane) service(namespace, name string, addresses ...string) string {
	c.t.Helper()
	path := c.create("v1", namespace, "services", fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}`, name))
	c.status(path, addresses...)
	return path
}

// status writes the addresses of a load balancer.
func (c *controlPlane) status(path string, addresses ...string) {
	c.t.Helper()
	var list bytes.Buffer
	for i, a := range addresses {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"ip":%q}`, a)
	}
	c.do("PATCH", path+"/status", fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[%s]}}}`, &list))
}

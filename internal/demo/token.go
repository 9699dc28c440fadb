package demo

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// aksServerApplication is who Entra tokens for an AKS API server are for.
const aksServerApplication = "6dae42f8-4368-4678-94ff-3960e28e3630"

const tokenLife = time.Hour

func (e *Estate) tokenRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		// ADFS style first: a tenant could be named so.
		{get, "/adfs/.well-known/openid-configuration", true, e.openID("adfs", "/adfs", "/adfs/oauth2/token")},
		// az looks a tenant up by its name below the authority, which is ADFS here.
		{get, "/adfs/{tenant}/.well-known/openid-configuration", true, e.openID("adfs", "/adfs", "/adfs/oauth2/token")},
		{post, "/adfs/oauth2/token", true, e.token},
		{post, "/adfs/oauth2/v2.0/token", true, e.token},
		{get, "/adfs/.well-known/webfinger", true, e.webfinger},
		{get, "/.well-known/webfinger", true, e.webfinger},
		{get, "/{tenant}/v2.0/.well-known/openid-configuration", true, e.openID("", "/v2.0", "/oauth2/v2.0/token")},
		{get, "/{tenant}/.well-known/openid-configuration", true, e.openID("", "/", "/oauth2/token")},
		{get, "/{tenant}/discovery/instance", true, e.instances},
		{post, "/{tenant}/oauth2/v2.0/token", true, e.token},
		{post, "/{tenant}/oauth2/token", true, e.token},
		{get, "/metadata/endpoints", true, e.metadata},
	}
}

// openID describes the token endpoint, for a tenant of Entra or for ADFS.
func (e *Estate) openID(fixed, issuer, token string) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		base := e.address
		if fixed == "" {
			base += "/" + r.vars["tenant"]
		}
		authorize := strings.Replace(token, "/token", "/authorize", 1)
		reply(w, http.StatusOK, object{
			"issuer":                                base + issuer,
			"authorization_endpoint":                base + authorize,
			"token_endpoint":                        base + token,
			"device_authorization_endpoint":         base + strings.Replace(token, "/token", "/devicecode", 1),
			"jwks_uri":                              base + "/discovery/keys",
			"response_types_supported":              []string{"code", "id_token", "token"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
			"tenant_region_scope":                   nil,
		})
	}
}

func (e *Estate) host() string { return strings.TrimPrefix(e.address, "https://") }

// instances is instance discovery: this authority knows only itself.
func (e *Estate) instances(w http.ResponseWriter, _ *request) {
	reply(w, http.StatusOK, object{
		"tenant_discovery_endpoint": e.address + "/" + tenantID + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []object{{"preferred_network": e.host(), "preferred_cache": e.host(), "aliases": []string{e.host()}}},
	})
}

func (e *Estate) webfinger(w http.ResponseWriter, r *request) {
	reply(w, http.StatusOK, object{"subject": r.query("resource"),
		"links": []object{{"rel": "http://schemas.microsoft.com/rel/trusted-realm", "href": r.query("resource")}}})
}

// metadata is what a cloud says of itself, in the shape of 2015 or of 2019.
func (e *Estate) metadata(w http.ResponseWriter, r *request) {
	authentication := object{"loginEndpoint": e.address + "/adfs", "audiences": []string{e.address}, "tenant": "adfs", "identityProvider": "ADFS"}
	if r.query("api-version") < "2018-01-01" {
		reply(w, http.StatusOK, object{"galleryEndpoint": e.address, "graphEndpoint": e.address, "portalEndpoint": e.address, "authentication": authentication})
		return
	}
	reply(w, http.StatusOK, []object{{
		"name": "akscert-demo", "resourceManager": e.address, "portal": e.address, "graph": e.address, "graphAudience": e.address,
		"authentication": authentication, "suffixes": object{}}})
}

// token gives an access token for the secret of this run.
func (e *Estate) token(w http.ResponseWriter, r *request) {
	refuse := func(status int, code, description string) {
		e.options.Log("refused a token: %s", description)
		reply(w, status, object{"error": code, "error_description": description, "error_codes": []int{}, "correlation_id": newGUID()})
	}
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request", "The request body cannot be read.")
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		refuse(http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type: only client_credentials is known here.")
		return
	}
	if id != clientID {
		refuse(http.StatusBadRequest, "unauthorized_client", "AADSTS700016: Application with this identifier was not found in the directory 'akscert demo'.")
		return
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(e.secret)) != 1 {
		refuse(http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided. Use the one that was printed when this run began.")
		return
	}
	audience := r.PostForm.Get("resource")
	if audience == "" {
		scope, _, _ := strings.Cut(r.PostForm.Get("scope"), " ")
		audience = strings.TrimSuffix(scope, "/.default")
	}
	audience = strings.TrimRight(audience, "/")
	if audience != e.address && audience != aksServerApplication {
		refuse(http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+audience+" was not found in the tenant named akscert demo.")
		return
	}
	reply(w, http.StatusOK, e.grant(audience))
}

func (e *Estate) grant(audience string) object {
	now := time.Now()
	seconds := int(tokenLife.Seconds())
	claims := object{
		"aud": audience, "iss": e.address + "/" + tenantID + "/", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLife).Unix(),
		"appid": clientID, "oid": clientID, "sub": clientID, "tid": tenantID, "ver": "1.0",
	}
	return object{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "expires_on": fmt.Sprint(now.Add(tokenLife).Unix()),
		"not_before": fmt.Sprint(now.Unix()), "resource": audience, "access_token": e.signToken(claims),
	}
}

func (e *Estate) signToken(claims object) string {
	head := b64url(object{"typ": "JWT", "alg": "HS256"}) + "." + b64url(claims)
	return head + "." + base64.RawURLEncoding.EncodeToString(e.signature(head))
}

func (e *Estate) signature(head string) []byte {
	mac := hmac.New(sha256.New, e.signing)
	mac.Write([]byte(head))
	return mac.Sum(nil)
}

// checkToken says what is wrong with an access token, or nothing.
func (e *Estate) checkToken(token, audience string) string {
	if token == "" {
		return "The 'Authorization' header is missing."
	}
	cut := max(0, strings.LastIndexByte(token, '.'))
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token[cut:], "."))
	if err != nil || !hmac.Equal(signature, e.signature(token[:cut])) {
		return "The access token is not from this run."
	}
	_, payload, _ := strings.Cut(token[:cut], ".")
	var claims struct {
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(decoded, &claims) != nil {
		return "The access token cannot be read."
	}
	if time.Now().Unix() >= claims.Expires {
		return "The access token has expired."
	}
	if claims.Audience != audience {
		return "The access token has been obtained for the wrong audience '" + claims.Audience + "'."
	}
	return ""
}

func b64url(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

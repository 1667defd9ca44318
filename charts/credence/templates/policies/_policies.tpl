{{- /*
The parts of expressions that policies share. They are evaluated for pods of
everybody, and a policy that cannot be evaluated refuses: so every field that
may be absent is asked for with "?".
*/}}

{{- /*
Whether the init container c is a sidecar of ours, by its image and program. Any
version is, because pods keep the image that they were created with. The
operator looks closer when one connects to the feed: also at what it would show
its token to, which depends on the authorities that are held.
*/}}
{{- define "credence.cel.isSidecar" -}}
{{- $repository := .Values.image.sidecar.repository -}}
c.name == "credence" && c.?restartPolicy.orValue("") == "Always"
&& c.?command.orValue([]).size() == 0 && c.?args.orValue([]).size() == 0
&& (c.?image.orValue("") == {{ $repository | quote }}
|| c.?image.orValue("").startsWith({{ printf "%s:" $repository | quote }})
|| c.?image.orValue("").startsWith({{ printf "%s@" $repository | quote }}))
{{- end }}

{{- /* The names of the volumes of a pod that hold a token for our audience. */}}
{{- define "credence.cel.tokenVolumes" -}}
object.spec.?volumes.orValue([]).filter(v, v.?projected.?sources.orValue([]).exists(s,
s.?serviceAccountToken.?audience.orValue("") == "credence")).map(v, v.name)
{{- end }}

{{- /* What binds a policy: (list NAME ROOT). */}}
{{- define "credence.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ index . 0 }}
  labels:
    {{- include "credence.labels" (index . 1) | nindent 4 }}
spec:
  policyName: {{ index . 0 }}
  validationActions: [Deny]
{{- end }}

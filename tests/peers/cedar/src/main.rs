//! The peer Cedar, embedded as a Rust crate, in two versions: the newest, and the 3.0.1 of the
//! published comparisons, which they found faster; "Cedar at its best" is the faster one here. Inside
//! the timer: `is_authorized` alone. Policies, entities (with ancestors closed, as Cedar does when it
//! loads them) and requests are parsed before, and the response is dropped after the timer has
//! stopped. Entities are loaded without a schema: a schema costs time at load and changes no
//! decision. Every request runs once before it is timed, as for all engines.

mod workload;

use std::fmt::Write;
use std::time::Instant;
use workload::{Job, Pair, RuleRequest, Series};

const POLICIES: [(&str, &str); 3] = [
    ("gdrive", include_str!("../policies/gdrive.cedar")),
    ("github", include_str!("../policies/github.cedar")),
    ("tinytodo", include_str!("../policies/tinytodo.cedar")),
];

/// The two versions differ in nothing that is called here but the arguments of `Request::new`.
macro_rules! version {
    ($name:ident, $label:literal, $cedar:ident, $wrap:expr) => {
        mod $name {
            use super::*;
            use std::str::FromStr;
            use $cedar::{
                Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid,
                PolicySet, Request,
            };

            pub fn name(variant: &str) -> String {
                format!("{}{}", $label, variant)
            }

            fn uid(entity: &Pair) -> EntityUid {
                let name = EntityTypeName::from_str(&entity.kind).expect("a type name");
                let id = EntityId::from_str(&entity.id).expect("an id");
                EntityUid::from_type_name_and_id(name, id)
            }

            pub fn request(principal: &Pair, action: &str, resource: &Pair) -> Request {
                let action = Pair::new("Action", action);
                Request::new(
                    $wrap(uid(principal)),
                    $wrap(uid(&action)),
                    $wrap(uid(resource)),
                    Context::empty(),
                    None,
                )
                .expect("a request")
            }

            pub fn policies(text: &str) -> PolicySet {
                PolicySet::from_str(text).expect("policies")
            }

            pub fn entities(json: &str) -> Entities {
                Entities::from_json_str(json, None).expect("entities")
            }

            /// All requests twice; the second time counts.
            pub fn decide<'a>(
                series: &mut Series,
                policies: &PolicySet,
                requests: impl Iterator<Item = (&'a Request, &'a Entities)> + Clone,
            ) {
                let authorizer = Authorizer::new();
                for timed in [false, true] {
                    for (request, entities) in requests.clone() {
                        let start = Instant::now();
                        let response = authorizer.is_authorized(request, policies, entities);
                        let took = start.elapsed();
                        if timed {
                            let allow = response.decision() == Decision::Allow;
                            series.add(took.as_nanos() as u64, allow);
                        }
                    }
                }
            }

            pub fn graphs(job: &Job, policy: &str) {
                let mut series = Series::new(name(""));
                let policies = policies(policy);
                for k in 1..=job.graphs {
                    let entities = entities(&job.entities(k));
                    let requests: Vec<Request> = job
                        .requests(k)
                        .iter()
                        .map(|r| request(&r.0, &r.1, &r.2))
                        .collect();
                    decide(
                        &mut series,
                        &policies,
                        requests.iter().map(|r| (r, &entities)),
                    );
                }
                job.report(series);
            }

            pub fn rules(job: &Job) {
                let requests = job.rule_requests();
                for (variant, policy, as_parents) in [
                    (", role as ancestor", super::rules_by_ancestor(job), true),
                    (", role in set", super::rules_by_set(job), false),
                ] {
                    let mut series = Series::new(name(variant));
                    let policies = policies(&policy);
                    let cases: Vec<(Request, Entities)> = requests
                        .iter()
                        .map(|r| {
                            let resource = Pair::new(&r.resource.kind, &r.resource.id);
                            let request = request(&Pair::new("User", "u"), &r.action, &resource);
                            (request, entities(&super::rule_entities(r, as_parents)))
                        })
                        .collect();
                    decide(&mut series, &policies, cases.iter().map(|c| (&c.0, &c.1)));
                    job.report(series);
                }
            }
        }
    };
}

version!(newest, "cedar 4.14.1", cedar4, |uid| uid);
version!(published, "cedar 3.0.1", cedar3, Some);

/// The role in the policy's scope: the token's roles are the user's parents.
fn rules_by_ancestor(job: &Job) -> String {
    let mut text = String::new();
    for r in job.rules() {
        writeln!(
            text,
            "permit (principal in Role::\"{}\", action == Action::\"{}\", resource is {})\n\
             when {{ principal.tenant == resource.tenant }};",
            r.role, r.action, r.kind
        )
        .expect("memory");
    }
    text
}

/// The role in a condition: the token's roles are a set.
fn rules_by_set(job: &Job) -> String {
    let mut text = String::new();
    for r in job.rules() {
        writeln!(
            text,
            "permit (principal, action == Action::\"{}\", resource is {})\n\
             when {{ principal.roles.contains(\"{}\") && principal.tenant == resource.tenant }};",
            r.action, r.kind, r.role
        )
        .expect("memory");
    }
    text
}

fn rule_entities(r: &RuleRequest, as_parents: bool) -> String {
    let role = |id: &String| serde_json::json!({"type": "Role", "id": id});
    let parents: Vec<_> = r
        .sub
        .roles
        .iter()
        .filter(|_| as_parents)
        .map(role)
        .collect();
    let mut attrs = serde_json::json!({"tenant": r.sub.tenant});
    if !as_parents {
        attrs["roles"] = r.sub.roles.clone().into();
    }
    serde_json::json!([
        {"uid": {"type": "User", "id": "u"}, "attrs": attrs, "parents": parents},
        {"uid": {"type": r.resource.kind, "id": r.resource.id},
         "attrs": {"tenant": r.resource.tenant}, "parents": []}
    ])
    .to_string()
}

fn main() {
    let job = Job::from_arguments();
    if job.app == "rules" {
        published::rules(&job);
        newest::rules(&job);
        return;
    }
    let app = job.app.trim_end_matches("-fixed");
    let (_, policy) = POLICIES
        .iter()
        .find(|p| p.0 == app)
        .expect("an application");
    published::graphs(&job, policy);
    newest::graphs(&job, policy);
}

// What a shared cache in front of the API does besides keeping answers: it names itself on what it has kept, says how old
// that is, counts, and forgets a user's page when it is told to. Which answers are kept, and for how long, the API says
// (services/cacheability.py). The same at a gateway and at the edge.
//
// A page is forgotten by another key: the time of the last change that was heard of is part of it. That time is kept for
// longer than any answer is, so that an answer from before is never found again.

const LAYER = 'the layer', SERVICE = 'the service'; // filled in at start-up
const ALL = 1000000; // njs gives 1,024 where nothing is said
const PROFILE = /^\/users\/([^/]+)\/profile$/;
const RESULTS = { HIT: 'hit', STALE: 'stale', UPDATING: 'stale', MISS: 'miss', EXPIRED: 'miss' };

// Whose page it is; at the edge in which region.
function name_of(user, region) {
    return region === undefined ? user : `${region} ${user}`;
}

function changed_at(r) {
    const page = PROFILE.exec(r.uri);
    const known = page && ngx.shared.changes.get(name_of(page[1], r.variables.region));
    return known ? String(known) : '';
}

// The level at which an answer that was kept was made says nothing of the level now.
function mark(r) {
    const result = RESULTS[r.variables.upstream_cache_status];
    const made_at = Number(r.headersOut['X-Made-At']);
    if (LAYER === 'edge') {
        delete r.headersOut['X-Made-At']; // between layers only
    }
    if (result === undefined || r.internal) {
        return; // not looked up, or nobody waits for it: it was asked for anew behind somebody's back
    }
    ngx.shared.counts.incr(result, 1, 0);
    if (result !== 'miss') {
        r.headersOut['X-Cache'] = LAYER;
        r.headersOut['X-Served-By'] = SERVICE;
        r.headersOut['Age'] = String(Math.max(0, Math.floor(Date.now() / 1000 - made_at)));
        delete r.headersOut['X-Degradation-Level'];
        delete r.headersOut['X-Degraded-Banner'];
    }
}

function metrics(r) {
    const lines = ['hit', 'miss', 'stale'].map((result) =>
        `cache_requests_total{layer="${LAYER}",result="${result}"} ${ngx.shared.counts.get(result) || 0}\n`);
    const others = ngx.shared.routes === undefined ? '' : ngx.shared.routes.get('metrics') || '';
    r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
    r.return(200, '# HELP cache_requests_total Cache look-ups\n# TYPE cache_requests_total counter\n' + lines.join('') + others);
}

// A gateway's: POST is a list of users whose pages have changed, GET all that is known, user → when (Unix milliseconds).
function changes(r) {
    if (r.method === 'POST') {
        JSON.parse(r.requestText).forEach((user) => ngx.shared.changes.set(user, Date.now()));
        r.return(204);
    } else {
        const known = {};
        ngx.shared.changes.items(ALL).forEach((item) => { known[item[0]] = item[1]; });
        r.return(200, JSON.stringify(known));
    }
}

// The edge's, from its agent: what gateways know, "region user" → when.
function hear(r) {
    const known = JSON.parse(r.requestText);
    for (const name in known) {
        ngx.shared.changes.set(name, known[name]);
    }
    r.return(204);
}

export default { changed_at, mark, metrics, changes, hear };

// Which region a request goes to, by what the edge's agent has last decided (services/edge.py). Serves without the agent:
// decisions stay in the shared zone, and where there is none yet everybody goes to the region that they ask for.
//
// A decision for a region is the text "<percent> <others go to>": of its users those in the buckets below the percentage
// go to it, the others elsewhere. $bucket is 0 to 99, the same for a user at every request and on every edge.

const KNOWN = REGIONS; // filled in at start-up, as an array

function asked(r) {
    const region = r.headersIn['X-Client-Region'];
    return KNOWN.includes(region) ? region : KNOWN[0];
}

function region(r) {
    const own = asked(r);
    const decision = ngx.shared.routes.get(own);
    if (decision === undefined) {
        return own;
    }
    const words = decision.split(' ');
    return Number(r.variables.bucket) < Number(words[0]) ? own : words[1];
}

function healthy(r) {
    return ngx.shared.routes.get('healthy') || KNOWN.join(',');
}

function writing(r) {
    return ngx.shared.routes.get('writing') || KNOWN.join(',');
}

// Only on the agent's own socket.
function decide(r) {
    const decisions = JSON.parse(r.requestText);
    for (const name in decisions) {
        ngx.shared.routes.set(name, decisions[name]);
    }
    r.return(204);
}

export default { region, healthy, writing, decide };

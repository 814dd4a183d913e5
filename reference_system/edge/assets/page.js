// What a stranger sees of the reference system, and which region and which cache it comes from.

const TITLES = ['NORMAL', 'ADVISORY', 'WARNING', 'CRITICAL', 'SURVIVAL'];
const element = (id) => document.getElementById(id);

function made(kind, text) {
    const one = document.createElement(kind);
    one.textContent = text;
    return one;
}

async function ask(path) {
    const answer = await fetch(path);
    const body = await answer.json();
    if (!answer.ok) {
        throw new Error(body.error || `status ${answer.status}`);
    }
    const level = answer.headers.get('X-Degradation-Level');
    return { body, told: [
        `from ${answer.headers.get('X-Region')}`,
        `cache: ${answer.headers.get('X-Cache')}`,
        ...(level === null ? [] : [`level: ${TITLES[level]}`]),
        ...(answer.headers.get('X-Degraded-Banner') || '').split('\n').filter(Boolean),
    ].join(' · ') };
}

function shown(post) {
    const one = made('article', '');
    one.append(made('p', post.text));
    if (post.media?.preview && post.media.link.startsWith('/media/')) {
        const picture = document.createElement('img');
        picture.src = post.media.preview.thumbnail;
        picture.alt = '';
        one.append(picture);
    } else if (post.media) {
        one.append(made('p', post.media.link));
    }
    const when = new Date(post.created_at * 1000).toLocaleString();
    one.append(made('small', `${post.author} · ${when} · ${post.likes} likes · ${post.retweets} retweets`));
    return one;
}

async function look(user) {
    try {
        const [profile, trends] = await Promise.all([
            ask(`/users/${encodeURIComponent(user)}/profile`), ask('/trending'),
        ]);
        element('where').textContent = profile.told;
        element('trends').replaceChildren(...(trends.body.topics || []).map((topic) => made('span', topic)));
        element('posts').replaceChildren(made('p', profile.body.user.bio), ...profile.body.posts.map(shown));
    } catch (error) {
        element('where').textContent = error.message;
    }
}

element('look').addEventListener('submit', (event) => {
    event.preventDefault();
    look(element('look').user.value);
});
look(element('look').user.value);

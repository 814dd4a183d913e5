// Pictures, drawn from their number: nobody uploads any, and what an origin would store is made here.

const PICTURE = /^\/media\/([0-9]{1,6})\.svg$/;
const WIDTH = 640, THUMBNAIL = '320';

function draw(r) {
    const picture = PICTURE.exec(r.uri);
    const asked = r.variables.arg_width; // as the edge reads it for its key: by other rules one might pass for the other
    if (!picture || (asked && asked !== THUMBNAIL)) {
        r.return(404, '{"error":"no such picture"}');
        return;
    }
    const number = Number(picture[1]), width = Number(asked || WIDTH);
    const hue = number * 137 % 360, left = number * 61 % WIDTH, top = number * 29 % 360;
    r.headersOut['Content-Type'] = 'image/svg+xml';
    r.return(200, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" width="${width}">`
        + `<rect width="640" height="360" fill="hsl(${hue} 40% 75%)"/>`
        + `<circle cx="${left}" cy="${top}" r="${60 + number % 80}" fill="hsl(${(hue + 150) % 360} 50% 45%)"/></svg>\n`);
}

export default { draw };

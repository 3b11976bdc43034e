"use strict";
// Makes the page from the description: one entry for each operation, each with a form that sends it.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function show(description) {
  document.getElementById("about").textContent = `${description.info.version}. ${description.info.description}`;
  const groups = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    const group = path.split("/")[3] ?? "";
    if (!groups.has(group)) groups.set(group, []);
    for (const method of METHODS) {
      if (operations[method]) groups.get(group).push(entry(method.toUpperCase(), path, operations[method]));
    }
  }
  const main = document.getElementById("operations");
  for (const [group, entries] of groups) main.append(element("h2", { textContent: group }), ...entries);
}

function entry(method, path, operation) {
  const inside = element("div", { className: "inside" }, element("p", { textContent: operation.description }));
  const inputs = operation.parameters.map((parameter) => field(parameter, inside));
  const body = bodyField(operation.requestBody, inside);
  const answer = element("pre", { hidden: true, ariaLive: "polite" });
  const button = element("button", { type: "button", textContent: "Send" });
  button.addEventListener("click", () => send(method, path, inputs, body, answer));
  inside.append(button, answer, answers(operation.responses));
  return element(
    "details",
    {},
    element(
      "summary",
      {},
      element("span", { className: `method ${method}`, textContent: method }),
      element("code", { textContent: path }),
      element("span", { textContent: operation.summary }),
    ),
    inside,
  );
}

function field(parameter, inside) {
  const example = parameter.in === "header" ? "" : (parameter.example ?? "");
  const input = element("input", { value: example, title: parameter.description ?? "", placeholder: parameter.in });
  const label = element("label", { className: "field" }, parameter.name + (parameter.required ? " *" : ""), input);
  inside.append(label);
  return { ...parameter, input };
}

function bodyField(requestBody, inside) {
  if (!requestBody) return null;
  const example = requestBody.content["application/json"].example;
  const area = element("textarea", { value: JSON.stringify(example, null, 2), ariaLabel: "Body", spellcheck: false });
  inside.append(area);
  return area;
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, response]) => {
    const codes = Object.values(response.content ?? {}).flatMap((content) => Object.keys(content.examples ?? {}));
    const links = codes.map((code) => element("a", { href: `/docs/problems/${code}`, textContent: code }));
    const told = links.length ? links.flatMap((link) => [link, " "]) : [response.description];
    return element("tr", {}, element("td", { textContent: status }), element("td", {}, ...told));
  });
  return element("table", {}, element("tbody", {}, ...rows));
}

const token = document.getElementById("token");

async function send(method, path, inputs, body, answer) {
  const headers = {};
  const query = new URLSearchParams();
  let address = path;
  for (const { name, in: place, input } of inputs) {
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value && place === "query") query.set(name, input.value);
    else if (input.value) headers[name] = input.value;
  }
  if (body && body.value) headers["Content-Type"] = "application/json";
  if (token.value) headers["Authorization"] = `Bearer ${token.value}`;
  const target = query.size ? `${address}?${query}` : address;
  answer.hidden = false;
  answer.textContent = `${method} ${target} …`;
  try {
    const response = await fetch(target, { method, headers, body: body ? body.value : undefined });
    const text = await response.text();
    keepToken(text);
    const told = ["etag", "location", "firstcome-seen", "idempotency-replayed", "x-request-id"]
      .filter((name) => response.headers.has(name))
      .map((name) => `${name}: ${response.headers.get(name)}`);
    answer.textContent = [`${response.status} ${response.statusText}`, ...told, "", pretty(text)].join("\n");
  } catch (error) {
    answer.textContent = `${method} ${target}\n\n${error}`;
  }
}

function keepToken(text) {
  try {
    const given = JSON.parse(text).access_token;
    if (given) token.value = given;
  } catch {
    // it is no JSON, so there is no token in it
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

fetch("/api/v1/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => {
    document.getElementById("about").textContent = `The description could not be read: ${error}`;
  });

// A hand at OHIF: reads one order a line ({"act": ..., ...}), does it in Chromium, answers one line. Its last
// order is the end of its input.    node ohif_robot.mjs PLAYWRIGHT_CORE CHROMIUM
import { createRequire } from 'node:module';
import readline from 'node:readline';

const [, , playwright, chromium] = process.argv;
const { chromium: engine } = createRequire(import.meta.url)(playwright);
const FLAGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist', '--disable-dev-shm-usage']; // WebGL on the CPU; a container's shared memory is small

const browser = await engine.launch({ executablePath: chromium, args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, serviceWorkers: 'block' });
context.setDefaultTimeout(60_000);
await context.addInitScript(() => { // no tour, no banner
  localStorage.setItem('shownTours', '["basicViewerTour"]');
  sessionStorage.setItem('investigationalUseDialog', 'hidden');
});
let page;
let troubles = [];

// --- in the page -------------------------------------------------------------------------------------------------

/** Whether the picture is drawn and has stood still for three looks: panels slide, and the picture follows later. */
function still() {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
  if (viewport && viewport.viewportStatus !== 'rendered') return false;
  const frame = (viewport?.element ?? document.body).getBoundingClientRect();
  const now = JSON.stringify([frame, viewport?.canvas.width, viewport?.worldToCanvas([0, 0, 0])]);
  window.stillFor = window.stoodAt === now ? window.stillFor + 1 : 0;
  window.stoodAt = now;
  return window.stillFor >= 3;
}

/** Whether all of a series is read; OHIF does not read a report that it shows as text. */
function loaded(set) {
  const { isLoaded, isImagingMeasurementReport } = window.services.displaySetService.getDisplaySetByUID(set);
  return isLoaded !== false || isImagingMeasurementReport === false;
}

/** What the picture shows. */
function modalities() {
  const { viewportGridService, displaySetService } = window.services;
  const sets = viewportGridService.getDisplaySetsUIDsForViewport(viewportGridService.getActiveViewportId()) ?? [];
  return sets.map(uid => displaySetService.getDisplaySetByUID(uid)?.Modality);
}

function entries() {
  const newest = each => (each.instance ?? each.instances?.at(-1) ?? each).SOPInstanceUID ?? '';
  return (window.services?.displaySetService?.getActiveDisplaySets() ?? []).map(each => ({
    set: each.displaySetInstanceUID, modality: each.Modality, description: each.SeriesDescription,
    series: each.SeriesInstanceUID, object: newest(each),
  }));
}

function marks() {
  const { state } = window.cornerstoneTools.annotation;
  const drawn = data => data.renderableData && Object.values(data.renderableData).flat(2);
  return state.getAllAnnotations().filter(each => each.metadata.referencedImageId).map(each => ({
    uid: each.annotationUID,
    tool: each.metadata.toolName,
    image: each.metadata.referencedImageId.split('/instances/')[1].split('/')[0],
    label: each.data.label ?? each.data.labels?.[0]?.label ?? '',
    words: Object.values(each.data.handles?.textBox?.worldBoundingBox ?? {}).map(corner => Array.from(corner)),
    points: (drawn(each.data) ?? each.data.handles?.points ?? []).map(point => Array.from(point)),
  }));
}

function segments() {
  const { cache } = window.cornerstone;
  const all = window.services.segmentationService.getSegmentations();
  return all.filter(each => each.representationData.Labelmap).map(each => ({
    labels: Object.fromEntries(Object.values(each.segments).map(one => [one.segmentIndex, one.label])),
    images: each.representationData.Labelmap.imageIds.map(id => {
      const image = cache.getImage(id);
      const voxels = [];
      image.voxelManager.getScalarData().forEach((value, place) => value && voxels.push([place, value]));
      return { image: image.referencedImageId.split('/instances/')[1].split('/')[0], voxels };
    }),
  }));
}

function frame() {
  const { left, top, right, bottom } = document.querySelector('[data-cy="viewport-pane"]').getBoundingClientRect();
  return [left, top, right, bottom];
}

/** Where points of the patient lie on the screen. */
function screen(points) {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
  const frame = viewport.element.getBoundingClientRect();
  return points.map(point => viewport.worldToCanvas(point)).map(([x, y]) => [x + frame.x, y + frame.y]);
}

/** Scroll to an image. */
async function scroll(image) {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
  await viewport.setImageIdIndex(viewport.getImageIds().findIndex(id => id.includes(`/${image}/`)));
  viewport.render();
}

// --- the hand ----------------------------------------------------------------------------------------------------

const cy = name => page.locator(`[data-cy="${name}"]`);
const until = (test, given) => page.waitForFunction(test, given, { timeout: 60_000, polling: 100 });
const ready = () => until(still);

async function drag(points) {
  await ready();
  const [from, to] = await page.evaluate(screen, points);
  await page.mouse.move(...from, { steps: 4 });
  await page.mouse.down();
  await page.mouse.move(...to, { steps: 8 });
  await page.mouse.up();
}

async function row(uid) {
  const place = await page.evaluate(
    wanted => window.services.measurementService.getMeasurements().findIndex(each => each.uid === wanted), uid);
  return cy(`measurement-table-row-${place}`);
}

const acts = {
  async open({ address, study, objects }) {
    await page?.close();
    troubles = [];
    page = await context.newPage();
    page.on('pageerror', error => troubles.push(error.message));
    await page.goto(`${address}/viewer?StudyInstanceUIDs=${study}`);
    await until(`(() => {
      const listed = (${entries})();
      return listed.some(each => each.modality === 'CT')
        && ${JSON.stringify(objects)}.every(object => listed.some(each => each.object === object));
    })()`);
    await ready();
    await cy('trackedMeasurements-btn').click();
    await ready();
  },
  async display({ set, modality }) {
    await page.locator(`[id="thumbnail-${set}"]`).dblclick();
    await until(`(${modalities})().includes("${modality}")`);
    await until(loaded, set);
    await ready();
  },
  async answer({ button }) {
    await cy(button).click();
    await until(`(${modalities})().includes("CT")`);
    await ready();
  },
  async scroll({ image }) { await page.evaluate(scroll, image); await ready(); },
  async tool({ name }) {
    await cy('MeasurementTools-split-button-secondary').click();
    await cy(name).last().click();
  },
  async drag({ points }) { await drag(points); },
  async jump({ uid }) {
    await (await row(uid)).locator('[data-cy="data-row"]').click();
    await until(shown => window.cornerstoneTools.annotation.state.getAnnotation(shown)
      .data.handles.textBox.worldBoundingBox, uid);
    await ready();
  },
  async remove({ uid }) {
    const place = await row(uid);
    await place.locator('[data-cy="data-row"]').hover();
    await place.locator('[data-cy="actionsMenuTrigger"]').click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await until(gone => !window.services.measurementService.getMeasurement(gone), uid);
  },
  async save({ into }) {
    await page.getByRole('button', { name: 'Create SR' }).click();
    const dialog = page.getByRole('dialog');
    const choice = dialog.getByRole('combobox');
    const offered = await choice.innerText();
    if (into) {
      await choice.click();
      await page.getByRole('option', { name: into }).click();
    }
    const stored = page.waitForResponse(answer => answer.request().method() === 'POST');
    await dialog.getByRole('button', { name: 'Save' }).click();
    return { offered, status: (await stored).status() };
  },
  entries: () => page.evaluate(entries),
  marks: () => page.evaluate(marks),
  async segments() {
    await until(`(${segments})().length > 0`);
    return page.evaluate(segments);
  },
  screen: ({ points }) => page.evaluate(screen, points),
  frame: () => page.evaluate(frame),
  text: () => page.locator('body').innerText(),
  troubles: () => troubles,
  async screenshot() { return (await page.screenshot()).toString('base64'); },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { act, ...given } = JSON.parse(line);
    answer = { value: (await acts[act](given)) ?? null };
  } catch (error) {
    answer = { error: String(error.stack) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
